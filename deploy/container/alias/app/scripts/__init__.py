"""Its scripts. Each stands for a command of Veche."""
