"""Crystals as they are: by data sheets, and by measurements."""
