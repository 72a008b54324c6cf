"""Whether the memory of operator and routers grows with what they have done: edits by the ten thousand, and a slope."""
