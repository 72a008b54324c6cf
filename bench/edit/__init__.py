"""How soon a router obeys an edit of a file: from the write to the first answer by the new rule."""
