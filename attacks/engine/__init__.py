"""Tables as integer codes, and the counting and matching that the attacks share."""
