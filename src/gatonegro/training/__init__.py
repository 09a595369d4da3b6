"""Training: one visible loop, its schedule, and resuming where it was cut off."""

from gatonegro.training.loop import fit as fit
