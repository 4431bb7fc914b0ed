"""How far faster number formats agree with float32, and which way to compute is the best on this machine.

::

    samples ──► agreement (cosines, top-10 overlap) ──► gate: opens an embedder, or refuses it with the figures
                     │                                    │
                     └── records (files of the space) ◄───┘──► tune: measures all ways, records the best one
"""
