"""The categories every classifier knows. Configuration may add others; these are always there."""

from __future__ import annotations

CODING = "coding"
CREATIVE_WRITING = "creative_writing"
ANALYSIS = "analysis"
MATH = "math"
QUESTION = "question"
CHAT = "chat"
GENERAL = "general"
"""Lists of ideas, commands to an assistant, and whatever says nothing of itself."""

CATEGORIES = (CODING, CREATIVE_WRITING, ANALYSIS, MATH, QUESTION, CHAT, GENERAL)
