"""What goes on, as limits see it, kept up to date: places, starts, ends, breakers, and who waits for them."""

from controller.runtime.usage.live import LiveUsage
from controller.runtime.usage.starts import Starts

__all__ = ["LiveUsage", "Starts"]
