"""Metrics, one public class a file."""

from recs.metrics.alpha_dcg_metric import AlphaDCGMetric
from recs.metrics.arp_metric import ARPMetric
from recs.metrics.bpref_metric import BPrefMetric
from recs.metrics.dcg_metric import DCGMetric
from recs.metrics.factorized import Factorized
from recs.metrics.factorized_top_k import FactorizedTopK
from recs.metrics.hits_metric import HitsMetric
from recs.metrics.map_at_k import MAPAtK
from recs.metrics.mean_average_precision_metric import MeanAveragePrecisionMetric
from recs.metrics.mrr_at_k import MRRAtK
from recs.metrics.mrr_metric import MRRMetric
from recs.metrics.ndcg_at_k import NDCGAtK
from recs.metrics.ndcg_metric import NDCGMetric
from recs.metrics.opa_metric import OPAMetric
from recs.metrics.precision_ia_metric import PrecisionIAMetric
from recs.metrics.precision_metric import PrecisionMetric
from recs.metrics.pwa_metric import PWAMetric
from recs.metrics.ranking_metric_key import RankingMetricKey, default_keras_metrics, get
from recs.metrics.recall_at_k import RecallAtK
from recs.metrics.recall_metric import RecallMetric
from recs.metrics.top_k_ids import TopKIds

__all__ = [
    "ARPMetric",
    "AlphaDCGMetric",
    "BPrefMetric",
    "DCGMetric",
    "Factorized",
    "FactorizedTopK",
    "HitsMetric",
    "MAPAtK",
    "MRRAtK",
    "MRRMetric",
    "MeanAveragePrecisionMetric",
    "NDCGAtK",
    "NDCGMetric",
    "OPAMetric",
    "PWAMetric",
    "PrecisionIAMetric",
    "PrecisionMetric",
    "RankingMetricKey",
    "RecallAtK",
    "RecallMetric",
    "TopKIds",
    "default_keras_metrics",
    "get",
]
