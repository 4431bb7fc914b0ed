"""How the demo model is trained: data, changes made to it, losses, the loop. Not needed to use the model."""
