"""Models."""

from recs.models.base import Model
from recs.models.recommendations import Recommendations
from recs.models.tower import Tower
from recs.models.two_tower import TwoTower

__all__ = ["Model", "Recommendations", "Tower", "TwoTower"]
