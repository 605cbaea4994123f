"""From what a user did, in the order of time, to a vector."""

from recs.layers.sequence.dice import Dice
from recs.layers.sequence.gru4rec import GRU4Rec
from recs.layers.sequence.mean_history import MeanHistory
from recs.layers.sequence.position_embedding import PositionEmbedding
from recs.layers.sequence.sasrec import SASRec
from recs.layers.sequence.self_attention_block import SelfAttentionBlock
from recs.layers.sequence.sequence_encoder import SequenceEncoder
from recs.layers.sequence.target_attention import TargetAttention

__all__ = [
    "Dice",
    "GRU4Rec",
    "MeanHistory",
    "PositionEmbedding",
    "SASRec",
    "SelfAttentionBlock",
    "SequenceEncoder",
    "TargetAttention",
]
