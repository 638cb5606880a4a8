"""Times Hugging Face's tokenizers on one thread: python tokenizers_speed.py TOKENIZER.json DOCUMENTS.jsonl"""

import json
import os
import statistics
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer  # noqa: E402

tokenizer = Tokenizer.from_file(sys.argv[1])
tokenizer.no_truncation()
tokenizer.no_padding()
with open(sys.argv[2], encoding="utf-8") as lines:
    texts = [json.loads(line)["text"] for line in lines]
seconds = []
for _ in range(5):
    begin = time.perf_counter()
    ids = sum(len(tokenizer.encode(text).ids) for text in texts)
    seconds.append(time.perf_counter() - begin)
median = statistics.median(seconds)
print(f"{len(texts) / median:.0f} documents/s, {ids / median:.0f} tokens/s, {ids} ids")
