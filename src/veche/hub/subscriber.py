"""Old names of `hub.topic` and `hub.serializer`, for the dialects that still import them from here."""

from veche.hub.serializer import Serializer
from veche.hub.topic import Subscriber

__all__ = ["Serializer", "Subscriber"]
