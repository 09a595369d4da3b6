"""The calls whose outcomes differ from those of `transformers`, by the reason: families, a bar, the call."""

REASONS = {
    "Refused: weights are never random unless `num_labels=`, labels or a configuration ask for a new head.": """
bert | RobertaConfig.from_pretrained(path).hidden_size
bert camembert distilbert roberta xlm-roberta | AutoModelForSequenceClassification.from_pretrained(base_path).num_labels
bert | AutoModelForSequenceClassification.from_pretrained(base_path, output_loading_info=True)[1]['missing_keys']
bert | RobertaModel.from_pretrained(path)
bert | AutoModelForMaskedLM.from_pretrained(path)
bert | AutoModelForCausalLM.from_pretrained(mlm_path)
bert | pipeline('ner', path)
""",
    "A checkpoint without a pooler gives a model without one, not a random one.": """
roberta | AutoModel.from_pretrained(path, output_loading_info=True)[1]['missing_keys']
""",
    "Refused: no code of a model is ever run.": """
bert gpt2 marian roberta t5 | AutoTokenizer.from_pretrained(path, trust_remote_code=True)(text)
bert gpt2 roberta | AutoModel.from_pretrained(path, trust_remote_code=True)(**enc)[0]
""",
    "Refused: a name that the function does not know, which transformers ignores.": """
bart gpt2 roberta | AutoTokenizer.from_pretrained(path, add_bos_token=True)(text)
bert xlm-roberta | pipe(text, return_all_scores=True)
bert | tokenizer(text, unknown_argument=1)
bert | AutoTokenizer.from_pretrained(path, unknown_argument=3)(text)
bert | base(**enc, unknown_argument=1)
bert | pipe(text, unknown_argument=1)
""",
    "Refused: training is gatonegro.training.fit, or a loop with PyTorch's own parts.": """
bert | Trainer.__name__
bert | DataCollatorWithPadding(tokenizer)([tokenizer(t) for t in texts])
bert | DataCollatorForLanguageModeling(tokenizer, mlm=False)([tokenizer(text)])
bert | DataCollatorForTokenClassification(tokenizer).__class__.__name__
bert | DataCollatorForSeq2Seq(tokenizer).__class__.__name__
bert | default_data_collator([{'label': 1}, {'label': 0}])
bert | get_linear_schedule_with_warmup(torch.optim.SGD([torch.ones(1)], 0.1), 1, 10).get_last_lr()
bert | get_cosine_schedule_with_warmup(torch.optim.SGD([torch.ones(1)], 0.1), 1, 10).get_last_lr()
bert | get_scheduler('linear', torch.optim.SGD([torch.ones(1)], 0.1), 1, 10).get_last_lr()
bert | EarlyStoppingCallback.__name__
""",
    "Refused: not a family, head or kind of data of this library, or a helper of Python itself.": """
bert gpt2 roberta t5 | tokenizer.save_pretrained(save_directory=tmp); type(AutoTokenizer.from_pretrained(tmp)).__name__
t5 | T5EncoderModel.from_pretrained(path)(**enc).last_hidden_state
bert | TensorType.PYTORCH
bert | AutoModelForMultipleChoice.__name__
bert | AutoModelForNextSentencePrediction.__name__
bert | AutoModelForPreTraining.__name__
bert | AutoModelForImageClassification.__name__
bert | AutoProcessor.__name__
bert | BertForPreTraining.__name__
bert | BertForNextSentencePrediction.__name__
bert | BertLMHeadModel.__name__
bert | GPT2ForSequenceClassification.__name__
bert | EncoderDecoderModel.__name__
bert | LlamaForCausalLM.__name__
bert | BitsAndBytesConfig.__name__
bert | HfArgumentParser.__name__
bert | is_torch_available()
""",
    "Refused: another search than greedy search, beams and sampling, or a start other than token ids.": """
bart marian mt5 t5 | model.generate(**enc, max_new_tokens=5, encoder_outputs=model.get_encoder()(**enc))
gpt2 | model.generate(**enc, max_new_tokens=6, assistant_model=model)
gpt2 | model.generate(**enc, max_new_tokens=6, prompt_lookup_num_tokens=2)
gpt2 | model.generate(inputs_embeds=model.get_input_embeddings()(enc['input_ids']), max_new_tokens=4)
""",
    "Refused: encoders do not decode, and options are checked when they are set.": """
bert | BertConfig(is_decoder=True).is_decoder
bert | base(enc['input_ids'], attention_mask=torch.ones(1, 3))
bert | t = AutoTokenizer.from_pretrained(path); t.bos_token = '<s>'; t.special_tokens_map
bert | GenerationConfig(num_beams=0)
""",
    "Refused: parts compute on packed batches, and stand where print(model) shows them.": """
bert | model.bert.embeddings(enc['input_ids'])
bert | model.dropout.p
bert | m = BertModel.from_pretrained(path); m.encoder.layer = m.encoder.layer[:1]; len(m.encoder.layer)
bert | base.encoder(base.embeddings(enc['input_ids']))[0]
bart marian mt5 t5 | base.encoder(**enc).last_hidden_state
bart | model.final_logits_bias.shape
gpt2 | model.transformer.h[0].attn.c_attn.weight
""",
    "Modules have names of their own, and print(model) shows shapes and the number of parameters.": """
bert gpt2 roberta t5 | str(base).split('(')[0]
bert gpt2 roberta t5 | [n for n, _ in base.named_children()]
bert gpt2 roberta t5 | [n for n, m in base.named_modules() if isinstance(m, torch.nn.Linear)]
""",
    "Tensors of GPT-2's fused attention, Marian's computed positions and buffers of positions are no parameters here.": """
gpt2 marian | [n for n, p in base.named_parameters()]
gpt2 marian | {n for n, p in base.named_parameters() if 'bias' not in n}
bert roberta | base.get_memory_footprint()
gpt2 marian | [n for n, p in model.named_parameters()]
marian | model.num_parameters()
""",
    "The same tensors in another order: transformers defines XLM-RoBERTa's head first, and buffers before modules.": """
bart camembert marian xlm-roberta | list(model.state_dict())
camembert xlm-roberta | list(AutoModelForTokenClassification.from_pretrained(ner_path).state_dict())[-2:]
camembert xlm-roberta | list(AutoModelForMaskedLM.from_pretrained(mlm_path).state_dict())[-6:]
""",
    "Columns of padding are zeros; transformers computes them from padding.": """
bert camembert distilbert roberta xlm-roberta | base(**batch).last_hidden_state
""",
    "Attentions are returned with every implementation; transformers returns none with SDPA.": """
bert camembert distilbert gpt2 roberta xlm-roberta | base(**enc, output_attentions=True).attentions
""",
    "A BatchEncoding is a dict, where transformers has a UserDict around one.": """
bert gpt2 t5 xlm-roberta | enc.data
bert gpt2 t5 xlm-roberta | isinstance(enc, dict), isinstance(enc, UserDict)
""",
    "Marian's tokenizer is a fast one; transformers' is written in Python, without offsets and in another order.": """
marian | tokenizer([text, texts[1]], return_length=True)
marian | tokenizer(text, return_offsets_mapping=True)
marian | tokenizer(text, return_special_tokens_mask=True)
marian | tokenizer(text, return_overflowing_tokens=True, max_length=8, stride=2, truncation=True)
marian | tokenizer.tokenize(text, add_special_tokens=True)
marian | len(tokenizer.vocab)
marian | tokenizer.is_fast
marian | isinstance(tokenizer, PreTrainedTokenizerFast)
marian | tokenizer.backend_tokenizer.get_vocab_size()
marian | tokenizer.backend_tokenizer.encode(text).tokens
marian | t = AutoTokenizer.from_pretrained(path); t.add_tokens(AddedToken('xyz', lstrip=True)); t.tokenize('un xyz')
marian | sorted(os.path.basename(f) for f in tokenizer.save_pretrained(tmp))
""",
    "A saved tokenizer is the tokenizer.json that versions 4 and 5 read alike; save_vocabulary writes the family's own file.": """
bert gpt2 roberta t5 | sorted(os.path.basename(f) for f in tokenizer.save_vocabulary(tmp))
""",
    "T5's <extra_id_…> are listed as additional special tokens, as in version 4.": """
mt5 t5 | tokenizer.special_tokens_map
""",
    "Answers where transformers 5 has none: methods of version 4, empty lists, names of other families.": """
mt5 t5 | config.max_position_embeddings
bert | tokenizer.encode_plus(text, max_length=9, truncation=True, padding='max_length')
bert | tokenizer.batch_encode_plus(texts, padding=True, return_tensors='pt')
bert | tokenizer.build_inputs_with_special_tokens([5, 6], [7])
bert | tokenizer.create_token_type_ids_from_sequences([5, 6], [7])
bert | tokenizer.prepare_for_model([5, 6, 7], max_length=4, truncation=True)
bert | tokenizer.additional_special_tokens
gpt2 | base(enc['input_ids'], enc['attention_mask']).last_hidden_state
gpt2 | model.generate(input_ids=enc['input_ids'], attention_mask=enc['attention_mask'], max_length=14)
gpt2 | pipe(text, max_length=20, do_sample=False)
bert | tokenizer([])
bert | list(pipe(iter(texts), batch_size=2))
bert | pipe([])
bert | pipe(None)
bert | pipe.framework
bert | pipeline(model=model, tokenizer=tokenizer)(text)
bert | GenerationConfig(top_k=7).save_pretrained(tmp); GenerationConfig.from_pretrained(tmp).top_k
""",
    "mT5's config.json says that the vocabularies are not tied, which transformers 5 overrides.": """
mt5 | config.tie_word_embeddings
mt5 | config.to_dict()
mt5 | config.to_diff_dict()
mt5 | json.loads(config.to_json_string())
mt5 | config.save_pretrained(tmp); AutoConfig.from_pretrained(tmp).to_dict()
""",
    "Options of generation in an old config.json are read, where transformers 5 drops them.": """
bart marian | g = GenerationConfig.from_model_config(config); g.to_dict()
""",
    "T5 has no part `transformer`, which transformers names as its base model; its dummy inputs are an encoder's.": """
t5 | base.base_model_prefix
""",
    "Windows of a long text are combined by distance from their edges.": """
roberta | pipeline('ner', model=ner_path, aggregation_strategy='simple', stride=4)(text * 4)
""",
}
# with real vocabularies alone
REASONS_OF_REAL = {
    "Offsets are those of the file's own rules, in which a word has the space before it; transformers 5 replaces them.": """
xlm-roberta | tokenizer(text, return_offsets_mapping=True)
xlm-roberta | enc.token_to_chars(2)
xlm-roberta | enc.word_to_chars(1)
xlm-roberta | enc.token_to_chars(2).start
xlm-roberta | enc.encodings[0].offsets
""",
}


def listed(reasons: dict[str, str]) -> set[tuple[str, str]]:
    """Return families and calls of a table of reasons."""
    lines = [line.partition(" | ") for text in reasons.values() for line in text.strip().splitlines()]
    return {(family, call) for families, _, call in lines for family in families.split()}
