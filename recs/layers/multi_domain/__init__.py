"""Layers for samples of several domains."""

from recs.layers.multi_domain.domain_experts import DomainExperts
from recs.layers.multi_domain.ep_net_gate import EPNetGate
from recs.layers.multi_domain.gate_unit import GateUnit
from recs.layers.multi_domain.moved_in import MovedIn
from recs.layers.multi_domain.partitioned_normalization import PartitionedNormalization
from recs.layers.multi_domain.poso import POSO
from recs.layers.multi_domain.pp_net import PPNet
from recs.layers.multi_domain.star import Star
from recs.layers.multi_domain.star_dense import StarDense

__all__ = [
    "POSO",
    "DomainExperts",
    "EPNetGate",
    "GateUnit",
    "MovedIn",
    "PPNet",
    "PartitionedNormalization",
    "Star",
    "StarDense",
]
