"""Tasks of `pipeline`: for each task, how texts become token ids and how model outputs become answers."""

from gatonegro.tasks.feature_extraction import FEATURE_EXTRACTION
from gatonegro.tasks.fill_mask import FILL_MASK
from gatonegro.tasks.question_answering import QUESTION_ANSWERING
from gatonegro.tasks.task import Encoded, Notice, RowOutput, Task, notice
from gatonegro.tasks.text2text import SUMMARIZATION, TEXT2TEXT
from gatonegro.tasks.text_classification import TEXT_CLASSIFICATION
from gatonegro.tasks.text_generation import TEXT_GENERATION
from gatonegro.tasks.token_classification import TOKEN_CLASSIFICATION
from gatonegro.tasks.translation import TRANSLATION
from gatonegro.tasks.zero_shot import ZERO_SHOT

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        TEXT_CLASSIFICATION,
        TOKEN_CLASSIFICATION,
        QUESTION_ANSWERING,
        ZERO_SHOT,
        FILL_MASK,
        FEATURE_EXTRACTION,
        TRANSLATION,
        SUMMARIZATION,
        TEXT2TEXT,
        TEXT_GENERATION,
    )
}
ALIASES = {"sentiment-analysis": "text-classification", "ner": "token-classification"}

__all__ = ["ALIASES", "TASKS", "Encoded", "Notice", "RowOutput", "Task", "notice"]
