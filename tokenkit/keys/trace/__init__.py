"""Sessions with keys recorded as pcapng, read as decoded messages, compared and replayed.

``writer`` records, ``reports`` reads a file, ``messages`` and ``decode`` make sense of it,
``compare`` and ``replay`` put it beside another session, or beside a key.
"""
