"""`python recipes/translation --data …` is `python recipes/translation/train.py --data …`."""

from train import main

main()
