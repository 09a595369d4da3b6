"""What `arguments.json` calls idle changes no answer of transformers: each value gives what a call without it gives."""

from functools import partial

import pytest
import torch
import transformers as hf
from tqdm import tqdm

from gatonegro.compat import ARGUMENTS

TEXT = "El gato [MASK] </s> es <pad> muy bueno, será sencillo."
IDS = torch.tensor([[2, 7, 9, 11, 3], [2, 8, 8, 9, 3]])
# two values of the arguments that are idle whatever their value
VALUES = {
    **dict.fromkeys(("low_cpu_mem_usage", "disable_mmap", "use_cache", "disable_compile", "legacy"), (True, False)),
    **dict.fromkeys(("use_fast", "from_slow", "fix_mistral_regex", "verbose", "save_jinja_files"), (True, False)),
    "save_original_format": (True, False),
    "attn_implementation": ("eager", "sdpa"),
    "experts_implementation": ("eager", "batched_mm"),
    "tqdm_class": (tqdm, None),
    **dict.fromkeys(("resume_download", "ignore_metadata_errors"), (True, False)),
    **dict.fromkeys(("use_auth_token", "mirror"), (None, "a")),
    "num_workers": (0, 1),
    "padding": (True, False),
    "max_question_len": (1, 64),
    "cache_position": (None, torch.arange(5)),
    "cache_config": (None, {"backend": "quanto"}),
    "compile_config": (None, hf.CompileConfig()),
    "errors": ("replace", "strict"),
    "modelcard": (None, "card"),
    "user_set_attributes": (None, {"top_k"}),
    "files_loaded": (None, ["a", "b"]),
    "chat_control_tokens": (None, ["<a>"]),
    "response_schema": (None, {"type": "object"}),
    "response_template": (None, {"type": "object"}),
    **dict.fromkeys(("token", "repo_id", "commit_message", "code_revision"), (None, "a")),
    **dict.fromkeys(("src_lang", "tgt_lang", "source_lang", "target_lang"), ("es", "en")),
    **dict.fromkeys(("name_or_path", "processor_class"), ("a", "b")),
    **dict.fromkeys(("max_cache_len", "num_assistant_tokens", "target_lookbehind", "assistant_lookbehind"), (3, 8)),
    **dict.fromkeys(("max_matching_ngram_size", "prefill_chunk_size"), (2, 4)),
    **dict.fromkeys(("assistant_confidence_threshold", "assistant_ensemble_weight"), (0.2, 0.6)),
    "num_assistant_tokens_schedule": ("constant", "heuristic"),
}
NO_TASK, NO_ARGUMENT = (f"transformers 5 has no such {what}; tried with 4.57.6" for what in ("task", "argument"))
REASONS = {  # of rows that are not tried
    **dict.fromkeys((f"{task}Pipeline.__call__" for task in ("QuestionAnswering", "Summarization")), NO_TASK),
    **dict.fromkeys((f"{task}Pipeline.__call__" for task in ("Translation", "Text2TextGeneration")), NO_TASK),
    "PreTrainedTokenizer.prepare_for_model": "transformers 5 has no such method; tried with 4.57.6",
    ("AutoModel.from_pretrained", "load_in_8bit"): NO_ARGUMENT,
    ("AutoModel.from_pretrained", "load_in_4bit"): NO_ARGUMENT,
    ("AutoModel.from_pretrained", "resume_download"): NO_ARGUMENT,
    ("generate", "return_legacy_cache"): NO_ARGUMENT,
    ("GenerationConfig.from_pretrained", "resume_download"): NO_ARGUMENT,
}
ON_GPU = {"offloaded", "offloaded_static"}  # values of cache_implementation that need one, for the same numbers


@pytest.fixture(scope="module")
def calls(folders, make_folder, tmp_path_factory):
    """Return, for each table, a function of one keyword argument that returns what transformers answers."""
    head = make_folder("sequence-classification")
    classifier = hf.AutoModelForSequenceClassification.from_pretrained(head).eval()
    writer, decoder = (
        getattr(hf, name).from_pretrained(folders[kind]).eval()
        for name, kind in (("AutoModelForSeq2SeqLM", "t5"), ("AutoModelForCausalLM", "gpt2"))
    )
    pipe = hf.pipeline("text-classification", str(head))
    tokenizer = pipe.tokenizer
    continues = hf.pipeline("text-generation", str(folders["gpt2"]), max_new_tokens=5, do_sample=False)
    continues.tokenizer.pad_token = continues.tokenizer.eos_token
    tokenizer.chat_template = "{% for message in messages %}{{ message.content }} {% endfor %}"

    def logits(model, **options):
        with torch.no_grad():
            return [model(input_ids=IDS, **options)[0]]

    def initial(config, **options):
        torch.manual_seed(0)
        return [*hf.AutoModel.from_config(config, **options).state_dict().values()]

    def continued(**options):
        if options.keys() & {"encoder_hidden_states", "encoder_attention_mask"}:  # which T5 takes as encoder_outputs
            return [expected_t5, *logits(decoder, **options)]
        return logits(writer, decoder_input_ids=IDS, **options) + logits(decoder, **options)

    (expected_t5,) = logits(writer, decoder_input_ids=IDS)

    def generated(**options):
        return [model.generate(IDS, max_new_tokens=6, do_sample=False, **options) for model in (writer, decoder)]

    def encoded(**options):
        tokenizers = [hf.AutoTokenizer.from_pretrained(f, **options) for f in (head, folders["gpt2"], folders["t5"])]
        encodings = [(tokenizer, tokenizer(TEXT, return_offsets_mapping=True).data) for tokenizer in tokenizers]
        return [(encoding, tokenizer.decode(encoding["input_ids"])) for tokenizer, encoding in encodings]

    def saved(thing, **options):
        folder = tmp_path_factory.mktemp("saved")
        thing.save_pretrained(folder, **options)
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    def reread(**options):
        folder = tmp_path_factory.mktemp("saved")
        tokenizer.save_pretrained(folder, **options)
        again = hf.AutoTokenizer.from_pretrained(folder)
        return again.chat_template, again(TEXT).data, again.init_kwargs.keys()

    def embeddings(**options):
        model = hf.AutoModelForSequenceClassification.from_pretrained(head)
        torch.manual_seed(0)
        return [model.resize_token_embeddings(len(tokenizer), **options).weight]

    load = hf.AutoModelForSequenceClassification.from_pretrained
    return {
        "AutoModel.from_pretrained": lambda **o: logits(load(head, **o).eval()),
        "AutoModel.from_config": partial(initial, classifier.config),
        "Pipeline.__call__": partial(pipe, [TEXT, "gato"]),
        "TextGenerationPipeline.__call__": partial(continues, "El gato"),
        "PreTrainedConfig.from_pretrained": lambda **o: hf.AutoConfig.from_pretrained(head, **o).to_dict(),
        "PreTrainedConfig.save_pretrained": partial(saved, classifier.config),
        "PreTrainedConfig.to_json_string": writer.generation_config.to_json_string,
        "GenerationConfig": lambda **o: generated(generation_config=hf.GenerationConfig(decoder_start_token_id=0, **o)),
        "GenerationConfig.validate": writer.generation_config.validate,
        "GenerationConfig.update": writer.generation_config.update,
        "GenerationConfig.from_pretrained": lambda **o: hf.GenerationConfig.from_pretrained(
            folders["t5"], **o
        ).to_dict(),
        "GenerationConfig.save_pretrained": partial(saved, writer.generation_config),
        "generate": generated,
        "Model.forward": partial(logits, classifier),
        "LanguageModel.forward": continued,
        "PreTrainedModel.save_pretrained": partial(saved, classifier),
        "PreTrainedModel.set_attn_implementation": partial(classifier.set_attn_implementation, "eager"),
        "PreTrainedModel.num_parameters": classifier.num_parameters,
        "PreTrainedModel.get_encoder": lambda **o: [*writer.get_encoder(**o).state_dict().values()],
        "PreTrainedModel.resize_token_embeddings": embeddings,
        "PreTrainedTokenizer.apply_chat_template": partial(
            tokenizer.apply_chat_template, [{"role": "user", "content": "gato"}], return_dict=False
        ),
        "PreTrainedTokenizer.save_pretrained": reread,
        "AutoTokenizer.from_pretrained": encoded,
        "pipeline": lambda **o: hf.pipeline("text-classification", str(head), **o)([TEXT]),
        "PreTrainedTokenizer.__call__": lambda **o: tokenizer(TEXT, **o).data,
        "PreTrainedTokenizer.pad": lambda **o: tokenizer.pad({"input_ids": [[5, 6], [7]]}, **o).data,
    }


def rows():
    for table, arguments in ARGUMENTS.items():
        for name, row in arguments.items():
            if (idle := row.get("idle")) is not None:
                yield pytest.param(table, name, [*VALUES[name]] if idle is True else idle, id=f"{table}-{name}")


def test_two_values_are_tried():
    for table, arguments in ARGUMENTS.items():
        for name, row in arguments.items():
            assert row.get("idle") is not True or len(VALUES[name]) == 2, f"{table} {name}"
    assert all(key in ARGUMENTS if isinstance(key, str) else key[1] in ARGUMENTS[key[0]] for key in REASONS)


@pytest.mark.parametrize(("table", "name", "values"), list(rows()))
def test_an_idle_argument_changes_no_answer(calls, table, name, values):
    if (reason := REASONS.get((table, name), REASONS.get(table))) is not None:
        pytest.skip(reason)
    expected = calls[table]()
    for value in values:
        if name == "cache_implementation" and value in ON_GPU and not torch.cuda.is_available():
            continue
        answer = calls[table](**{name: value})
        if isinstance(expected, list) and isinstance(expected[0], torch.Tensor):
            torch.testing.assert_close(answer, expected, rtol=1e-5, atol=1e-6)
        else:
            assert answer == expected
