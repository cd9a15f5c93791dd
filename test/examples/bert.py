"""Computes vectors of sentences with the BERT of transformers, for sentence-encoder.test.ts.

    bert.py small FOLDER                           makes a small encoder and its vectors: the files in test/examples/data
    bert.py vectors WEIGHTS TOKENIZER HEADS IN OUT writes the vectors of the texts in IN.json, by the weights of a file
    bert.py compare A.json B.json                  prints the largest difference between the elements of two such files

A vector is the mean over the tokens of a text, which are cut at 256, divided by its norm. The committed files were made
with transformers 5.24.0, tokenizers 0.23.3, PyTorch 2.15.0 and safetensors 0.8.0. The weights of the small encoder are
float16, so that the file is small; its vectors are computed in float64.
"""

import json
import os
import sys

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece
from transformers import BertConfig, BertModel

MOST = 256


def vectors(model, tokenizer, texts):
    """Returns the vectors of texts. The texts are computed one by one, so that there is no padding."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(MOST)
    found = []
    for text in texts:
        tokens = torch.tensor([tokenizer.encode(text).ids])
        with torch.no_grad():
            mean = model(input_ids=tokens).last_hidden_state.mean(dim=1)
        found.append(torch.nn.functional.normalize(mean, dim=1)[0].tolist())
    return found


def model_of(tensors, heads):
    """Returns a BERT with these weights, whose sizes are those of the weights."""
    words, width = tensors['embeddings.word_embeddings.weight'].shape
    config = BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=1 + max(int(name.split('.')[2]) for name in tensors if name.startswith('encoder.layer.')),
        num_attention_heads=heads,
        intermediate_size=tensors['encoder.layer.0.intermediate.dense.bias'].shape[0],
        max_position_embeddings=tensors['embeddings.position_embeddings.weight'].shape[0],
        type_vocab_size=tensors['embeddings.token_type_embeddings.weight'].shape[0],
        layer_norm_eps=1e-12,
    )
    model = BertModel(config, add_pooling_layer='pooler.dense.weight' in tensors).eval()
    model.load_state_dict({name: value for name, value in tensors.items() if name != 'embeddings.position_ids'})
    return model


def words_tokenizer(texts):
    """Returns a tokenizer of the words of texts, whose other words are made of letters."""
    words = sorted({word for text in texts for word in text.lower().split() if word.isalpha()})
    letters = 'abcdefghijklmnopqrstuvwxyz0123456789.,!?\'"$%-:'
    vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', *letters, *(f'##{letter}' for letter in letters[:36])]
    vocabulary += [word for word in words if len(word) > 1][:60]
    tokenizer = Tokenizer(WordPiece({word: index for index, word in enumerate(vocabulary)}, unk_token='[UNK]'))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single='[CLS] $A [SEP]', special_tokens=[('[CLS]', 2), ('[SEP]', 3)]
    )
    return tokenizer


def small(folder):
    with open(os.path.join(folder, 'sentences.json')) as source:
        texts = json.load(source)
    tokenizer = words_tokenizer(texts)
    tokenizer.save(os.path.join(folder, 'tokenizer.json'), pretty=False)
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=MOST,
        initializer_range=0.2,
        layer_norm_eps=1e-12,
    )
    model = BertModel(config, add_pooling_layer=False)
    for name, parameter in model.named_parameters():
        # transformers makes biases and scales 0 and 1, which would hide an exchange of two of them.
        if name.endswith('bias') or 'LayerNorm' in name:
            torch.nn.init.normal_(parameter, float('LayerNorm.weight' in name), 0.2)
    tensors = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    tensors['embeddings.position_ids'] = torch.arange(MOST)[None]
    save_file(tensors, os.path.join(folder, 'bert.safetensors'))
    exact = model_of({name: value.double() for name, value in tensors.items()}, 4).double()
    write(os.path.join(folder, 'vectors.json'), vectors(exact, tokenizer, texts))


def write(path, found):
    with open(path, 'w') as out:
        json.dump([[round(value, 9) for value in vector] for vector in found], out, separators=(',', ':'))
        out.write('\n')


if sys.argv[1] == 'small':
    small(sys.argv[2])
elif sys.argv[1] == 'compare':
    one, two = (torch.tensor(json.load(open(path)), dtype=torch.float64) for path in sys.argv[2:])
    print(json.dumps({'texts': one.shape[0], 'width': one.shape[1], 'largest': (one - two).abs().max().item()}))
else:
    weights, tokenizer, heads, given, out = sys.argv[2:]
    with open(given) as source:
        texts = json.load(source)
    tensors = {name: value.double() for name, value in load_file(weights).items()}
    write(out, vectors(model_of(tensors, int(heads)).double(), Tokenizer.from_file(tokenizer), texts))
