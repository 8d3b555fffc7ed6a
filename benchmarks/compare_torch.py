#!/usr/bin/python3
"""Training steps of Trama beside the same models in PyTorch (Debian: python3-torch), in turns.

  compare_torch.py nano TEXT   a character GPT, 4 layers, 4 heads, width 128, context 64, batch 12,
                               AdamW, clipping
  compare_torch.py tiny CSV    logistic regression and an MLP 4-16-1 on all rows of the Iris table, SGD

Prints the median time of a step in every round, and the median over the rounds with their ratio.
Both sides run the whole loop of a training: fetching the batch, the update, reading the loss.
--peer_env KEY=VALUE (repeatable) reaches PyTorch alone.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

BATCH, CONTEXT, WIDTH, LAYERS, HEADS = 12, 64, 128, 4, 4


def timed(step, steps):
    """The median seconds of a step; the first tenth warms up."""
    times = []
    for i in range(steps):
        start = time.perf_counter()
        step(i)
        times.append(time.perf_counter() - start)
    return statistics.median(times[steps // 10:])


def torch_nano(path, steps):
    import torch
    from torch import nn
    from torch.nn import functional as F

    with open(path, encoding="utf-8") as file:
        text = file.read()
    vocabulary = {c: i for i, c in enumerate(sorted(set(text)))}
    ids = torch.tensor([vocabulary[c] for c in text[:len(text) * 9 // 10]])
    mask = torch.triu(torch.ones(CONTEXT, CONTEXT, dtype=torch.bool), 1)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.fc, self.out = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x):
            b, t, _ = x.shape
            q, k, v = (z.view(b, t, HEADS, -1).transpose(1, 2)
                       for z in self.qkv(self.ln_1(x)).split(WIDTH, -1))
            scores = q @ k.transpose(-2, -1) / math.sqrt(WIDTH // HEADS)
            y = scores.masked_fill(mask, float("-inf")).softmax(-1) @ v
            x = x + self.proj(y.transpose(1, 2).reshape(b, t, WIDTH))
            return x + self.out(F.gelu(self.fc(self.ln_2(x)), approximate="tanh"))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(len(vocabulary), WIDTH), nn.Embedding(CONTEXT, WIDTH)
            self.h, self.ln_f = nn.ModuleList(Block() for _ in range(LAYERS)), nn.LayerNorm(WIDTH)

        def forward(self, x):
            y = self.wte(x) + self.wpe.weight
            for block in self.h:
                y = block(y)
            return self.ln_f(y) @ self.wte.weight.t()

    model = GPT()
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1},
                                   {"params": vectors, "weight_decay": 0.0}],
                                  lr=1e-3, betas=(0.9, 0.99))

    def step(_):
        starts = torch.randint(len(ids) - CONTEXT - 1, (BATCH,))
        x = torch.stack([ids[i:i + CONTEXT] for i in starts])
        y = torch.stack([ids[i + 1:i + CONTEXT + 1] for i in starts])
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()

    return timed(step, steps)


def torch_tiny(path, steps, hidden):
    import torch
    from torch import nn
    from torch.nn import functional as F

    with open(path, encoding="utf-8") as file:
        rows = [line.strip().split(",") for line in file][1:]
    x = torch.tensor([[float(cell) for cell in row[:4]] for row in rows])
    y = torch.tensor([[float(row[4] == "setosa")] for row in rows])
    model = (nn.Sequential(nn.Linear(4, hidden), nn.ReLU(), nn.Linear(hidden, 1))
             if hidden else nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(_):
        loss = F.binary_cross_entropy_with_logits(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return timed(step, steps)


def trama_nano(trama, path, steps):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([trama, "train", "gpt", "--data=" + path, "--steps=%d" % steps, "--quiet",
                        "--batch_size=%d" % BATCH, "--seq_len=%d" % CONTEXT, "--lr=1e-3",
                        "--beta2=0.99", "--weight_decay=0.1", "--clip_norm=1",
                        "--metrics=%s/metrics.jsonl" % folder, "--out=%s/out" % folder],
                       check=True, stdout=subprocess.DEVNULL)
        with open(folder + "/metrics.jsonl", encoding="utf-8") as file:
            rates = [json.loads(line)["tokens_per_second"] for line in file]
    return BATCH * CONTEXT / statistics.median(rates[steps // 10:])


def trama_tiny(trama, path, hidden):
    """From the difference of a short and a long run: a step is too short for a clock."""
    def run(steps):
        with tempfile.TemporaryDirectory() as folder:
            model = ["mlp", "--set=hidden=%d" % hidden] if hidden else ["logistic-regression"]
            start = time.perf_counter()
            subprocess.run([trama, "train", *model, "--data=" + path, "--target=species",
                            "--positive=setosa", "--batch_size=0", "--optimizer=sgd", "--lr=0.1",
                            "--steps=%d" % steps, "--quiet", "--out=%s/out" % folder],
                           check=True, stdout=subprocess.DEVNULL)
            return time.perf_counter() - start

    few, many = 1000, 501000
    run(few)  # compiles
    return (run(many) - run(few)) / (many - few)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["nano", "tiny"])
    parser.add_argument("data")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=0, help="of a round; 0: 200, tiny 2000")
    parser.add_argument("--trama", default="build/bin/trama")
    parser.add_argument("--peer_env", action="append", default=[])
    parser.add_argument("--as_peer", type=int, help=argparse.SUPPRESS)  # hidden units, -1 for nano
    args = parser.parse_args()
    steps = args.steps or (200 if args.what == "nano" else 2000)
    if args.as_peer is not None:
        print(torch_nano(args.data, steps) if args.what == "nano"
              else torch_tiny(args.data, steps, args.as_peer))
        return

    environment = dict(os.environ, **dict(pair.split("=", 1) for pair in args.peer_env))
    models = {"gpt": -1} if args.what == "nano" else {"logistic-regression": 0, "mlp": 16}
    unit, scale = ("ms", 1e3) if args.what == "nano" else ("us", 1e6)
    for name, hidden in models.items():
        ours, theirs = [], []
        for _ in range(args.rounds):
            ours.append(trama_nano(args.trama, args.data, steps) if args.what == "nano"
                        else trama_tiny(args.trama, args.data, hidden))
            peer = subprocess.run([sys.executable, __file__, args.what, args.data,
                                   "--steps=%d" % steps, "--as_peer=%d" % hidden],
                                  check=True, capture_output=True, text=True, env=environment)
            theirs.append(float(peer.stdout))
            print("%s: trama %.2f %s, torch %.2f %s" %
                  (name, ours[-1] * scale, unit, theirs[-1] * scale, unit), flush=True)
        ours, theirs = statistics.median(ours), statistics.median(theirs)
        print("%s: median trama %.2f %s, torch %.2f %s, ratio %.2f" %
              (name, ours * scale, unit, theirs * scale, unit, theirs / ours))


if __name__ == "__main__":
    main()
