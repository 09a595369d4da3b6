"""Task heads: modules that compute logits from the last layer's hidden states."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gatonegro.config import Config
from gatonegro.nn.encoder import Activation
from gatonegro.packing import Packed


class Pooler(nn.Module):
    """BERT's pooler: a linear layer and tanh on the hidden state of each sequence's first token."""

    per = "sequence"

    def __init__(self, config: Config):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.activation = Activation("tanh")

    def forward(self, x: Tensor, packed: Packed, tokens: nn.Embedding) -> Tensor:
        return self.activation(self.dense(x[packed.first_tokens]))  # (n, hidden)


class SequenceClassificationHead(nn.Module):
    """A head that computes one logit per label for each sequence, from one token's hidden state.

    That is an encoder's first token, and the last one of a decoder, which has read all others.
    """

    per = "sequence"

    def __init__(self, config: Config):
        super().__init__()
        self.reads_last = config.decoder is not None
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.activation = Activation(config.classifier_act)
        self.dropout = nn.Dropout(config.head_dropout if config.sequence_dropout is None else config.sequence_dropout)
        self.output = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, x: Tensor, packed: Packed, tokens: nn.Embedding) -> Tensor:
        read = x[packed.last_tokens if self.reads_last else packed.first_tokens]  # (n, hidden)
        return self.output(self.dropout(self.activation(self.dense(read))))  # (n, labels)


class TokenClassificationHead(nn.Module):
    """A head that computes one logit per label for each token."""

    per = "token"

    def __init__(self, config: Config):
        super().__init__()
        self.dropout = nn.Dropout(config.head_dropout)
        self.output = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, x: Tensor, packed: Packed, tokens: nn.Embedding) -> Tensor:
        return self.output(self.dropout(x))  # (t, labels)


class SpanHead(TokenClassificationHead):
    """A head that computes two logits per token: that an answer to a question starts there, and that it ends there."""

    def __init__(self, config: Config):
        super().__init__(config)
        self.dropout = nn.Dropout(config.span_dropout)
        self.output = nn.Linear(config.hidden_size, 2)


class MaskedLMHead(nn.Module):
    """A masked-language-model head: for each token, logits over the vocabulary, computed with the token embeddings."""

    per = "token"

    def __init__(self, config: Config):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.activation = Activation(config.hidden_act)
        self.norm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, x: Tensor, packed: Packed, tokens: nn.Embedding) -> Tensor:
        x = self.norm(self.activation(self.dense(x)))  # (t, hidden)
        return F.linear(x, tokens.weight, self.bias)  # (t, vocab)


class LMHead(nn.Module):
    """A language-model head: for each token, logits over the vocabulary for the token that follows."""

    per = "token"
    bias: Tensor | None

    def __init__(self, config: Config):
        super().__init__()
        self.scale = config.hidden_size**-0.5 if config.scale_decoder_outputs else 1.0
        size, tied = config.hidden_size, config.tie_word_embeddings
        self.output = None if tied else nn.Linear(size, config.vocab_size, bias=False)
        # (1, vocab), not trained, as in Marian and BART
        self.register_buffer("bias", torch.zeros(1, config.vocab_size) if config.lm_head_bias else None)

    def forward(self, x: Tensor, packed: Packed, tokens: nn.Embedding) -> Tensor:
        weight = tokens.weight if self.output is None else self.output.weight
        return F.linear(x * self.scale, weight, None if self.bias is None else self.bias[0])  # (t, vocab)


HEADS: dict[str, type[nn.Module]] = {
    "pooler": Pooler,
    "sequence-classification": SequenceClassificationHead,
    "token-classification": TokenClassificationHead,
    "question-answering": SpanHead,
    "masked-lm": MaskedLMHead,
    "seq2seq-lm": LMHead,
    "causal-lm": LMHead,
}
