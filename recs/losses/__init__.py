"""Losses, one public class a file, over the pure functions of `recs.losses.functional`."""

from recs.losses.approx_mrr_loss import ApproxMRRLoss
from recs.losses.approx_ndcg_loss import ApproxNDCGLoss
from recs.losses.bpr import BPR
from recs.losses.calibrated_softmax_loss import CalibratedSoftmaxLoss
from recs.losses.click_em_loss import ClickEMLoss
from recs.losses.cosine_contrastive import CosineContrastive
from recs.losses.coupled_rank_distil_loss import CoupledRankDistilLoss
from recs.losses.dcg_lambda_weight import DCGLambdaWeight
from recs.losses.dcg_lambda_weight_v2 import DCGLambdaWeightV2
from recs.losses.gumbel_approx_ndcg_loss import GumbelApproxNDCGLoss
from recs.losses.hinge import Hinge
from recs.losses.in_batch_softmax import InBatchSoftmax
from recs.losses.inverse_propensity_weights import inverse_propensity_weights
from recs.losses.label_diff_lambda_weight import LabelDiffLambdaWeight
from recs.losses.lambda_weight import LambdaWeight
from recs.losses.list_mle_lambda_weight import ListMLELambdaWeight
from recs.losses.list_mle_loss import ListMLELoss
from recs.losses.mean_squared_loss import MeanSquaredLoss
from recs.losses.mixture_em_loss import MixtureEMLoss
from recs.losses.mrr_lambda_weight import MRRLambdaWeight
from recs.losses.ndcg_lambda_weight import NDCGLambdaWeight
from recs.losses.ndcg_lambda_weight_v2 import NDCGLambdaWeightV2
from recs.losses.ordinal_loss import OrdinalLoss
from recs.losses.p_list_mle_lambda_weight import PListMLELambdaWeight
from recs.losses.pairwise_hinge_loss import PairwiseHingeLoss
from recs.losses.pairwise_logistic_loss import PairwiseLogisticLoss
from recs.losses.pairwise_mse_loss import PairwiseMSELoss
from recs.losses.pairwise_soft_zero_one_loss import PairwiseSoftZeroOneLoss
from recs.losses.precision_lambda_weight import PrecisionLambdaWeight
from recs.losses.ranking_loss_key import RankingLossKey, get
from recs.losses.retrieval_loss import RetrievalLoss
from recs.losses.sampled_softmax import SampledSoftmax
from recs.losses.sigmoid_cross_entropy_loss import SigmoidCrossEntropyLoss
from recs.losses.softmax_loss import SoftmaxLoss
from recs.losses.unique_softmax_loss import UniqueSoftmaxLoss
from recs.losses.yeti_dcg_lambda_weight import YetiDCGLambdaWeight
from recs.losses.yeti_logistic_loss import YetiLogisticLoss

__all__ = [
    "BPR",
    "ApproxMRRLoss",
    "ApproxNDCGLoss",
    "CalibratedSoftmaxLoss",
    "ClickEMLoss",
    "CosineContrastive",
    "CoupledRankDistilLoss",
    "DCGLambdaWeight",
    "DCGLambdaWeightV2",
    "GumbelApproxNDCGLoss",
    "Hinge",
    "InBatchSoftmax",
    "LabelDiffLambdaWeight",
    "LambdaWeight",
    "ListMLELambdaWeight",
    "ListMLELoss",
    "MRRLambdaWeight",
    "MeanSquaredLoss",
    "MixtureEMLoss",
    "NDCGLambdaWeight",
    "NDCGLambdaWeightV2",
    "OrdinalLoss",
    "PListMLELambdaWeight",
    "PairwiseHingeLoss",
    "PairwiseLogisticLoss",
    "PairwiseMSELoss",
    "PairwiseSoftZeroOneLoss",
    "PrecisionLambdaWeight",
    "RankingLossKey",
    "RetrievalLoss",
    "SampledSoftmax",
    "SigmoidCrossEntropyLoss",
    "SoftmaxLoss",
    "UniqueSoftmaxLoss",
    "YetiDCGLambdaWeight",
    "YetiLogisticLoss",
    "get",
    "inverse_propensity_weights",
]
