"""`python recipes/sentiment --data …` is `python recipes/sentiment/train.py --data …`."""

from train import main

main()
