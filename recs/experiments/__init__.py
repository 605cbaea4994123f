"""Experiments: what a YAML configuration can name, and `recs train` runs."""

from recs.experiments.adult import Adult
from recs.experiments.as_given import AsGiven
from recs.experiments.at_random import AtRandom
from recs.experiments.by_time import ByTime
from recs.experiments.csv_file import CsvFile
from recs.experiments.domain_evaluation import DomainEvaluation
from recs.experiments.evaluation import Evaluation
from recs.experiments.experiment import Experiment, Trained
from recs.experiments.few_shot_evaluation import FewShotEvaluation
from recs.experiments.graph_evaluation import GraphEvaluation
from recs.experiments.items_file import ItemsFile
from recs.experiments.last_out import LastOut
from recs.experiments.libsvm_files import LibSVMFiles
from recs.experiments.listwise_evaluation import ListwiseEvaluation
from recs.experiments.movielens_genres import MovieLensGenres
from recs.experiments.movielens_source import MovieLens
from recs.experiments.multi_task_evaluation import MultiTaskEvaluation
from recs.experiments.own_test import OwnTest
from recs.experiments.parquet_file import ParquetFile
from recs.experiments.ranking_pipeline import BestRun, RankingPipeline
from recs.experiments.rating_evaluation import RatingEvaluation
from recs.experiments.report import Report
from recs.experiments.retrieval_evaluation import RetrievalEvaluation
from recs.experiments.run_folder import RunFolder
from recs.experiments.sequential_evaluation import SequentialEvaluation
from recs.experiments.source import Source
from recs.experiments.splitter import Splitter
from recs.experiments.user_item_lists import UserItemLists
from recs.experiments.users_out import UsersOut

__all__ = [
    "Adult",
    "AsGiven",
    "AtRandom",
    "BestRun",
    "ByTime",
    "CsvFile",
    "DomainEvaluation",
    "Evaluation",
    "Experiment",
    "FewShotEvaluation",
    "GraphEvaluation",
    "ItemsFile",
    "LastOut",
    "LibSVMFiles",
    "ListwiseEvaluation",
    "MovieLens",
    "MovieLensGenres",
    "MultiTaskEvaluation",
    "OwnTest",
    "ParquetFile",
    "RankingPipeline",
    "RatingEvaluation",
    "Report",
    "RetrievalEvaluation",
    "RunFolder",
    "SequentialEvaluation",
    "Source",
    "Splitter",
    "Trained",
    "UserItemLists",
    "UsersOut",
]
