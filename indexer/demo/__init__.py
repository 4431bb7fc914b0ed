"""The demo: a sample catalog drawn in software, its captions in four languages, and a small SigLIP-type model.

Nothing here is needed to run Vitrine on a real shop's feed; it is what ``make demo`` shows when no model hub can be
reached, and what the tests search in.
"""
