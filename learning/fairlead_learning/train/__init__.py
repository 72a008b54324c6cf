"""What makes models and constants out of data. Run by people and by the ``train`` commands; nothing that serves imports it."""
