"""What the openai: responder costs besides the server: against a bare AsyncOpenAI loop, both at 32 requests at once.

The server answers after 100 ms and runs in its own process. Both clients are measured in turn, several times in one
run; the responder also saves every answer. Then one long run shows whether memory grows.

    .venv/bin/python -m benchmarks.client_overhead [--requests 3000] [--rounds 3] [--long 20000]
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from eval.responders.remote import RemoteResponder, data_uri
from schemas.protocols.reply_log import AnswerLog
from schemas.protocols.responder import Ask, Decoding

AT_ONCE = 32
LATENCY_S = 0.1
PICTURE_BYTES = 40_000
PICTURES = 50
DECODING = Decoding(max_new_tokens=24)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    message = {"role": "assistant", "content": "in the town of Arnvik"}
    usage = {"prompt_tokens": 20, "completion_tokens": 6, "total_tokens": 26}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    body = json.dumps(
        {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    ).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    try:
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
            length = next(line for line in lines if line.startswith(b"content-length:")).split(b":")[1]
            await reader.readexactly(int(length))
            await asyncio.sleep(LATENCY_S)
            writer.write(head + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _serve() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def serving() -> Iterator[str]:
    """The base URL of the server in its own process."""
    command = [sys.executable, "-m", "benchmarks.client_overhead", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.kill()


def _asks(count: int, pictures: list[bytes]) -> Iterator[Ask]:
    for number in range(count):
        image = pictures[number % len(pictures)] if pictures else None
        yield Ask(
            ask_id=f"{number:024d}", text=f"Answer briefly in English.\nWhere was person {number} born?", image=image
        )


def bare(url: str, count: int, pictures: list[bytes]) -> None:
    """The reference: 32 coroutines around one AsyncOpenAI; addresses of pictures are encoded once; nothing is saved.

    Making the client reads the certificates, each round, which the responder does once in a process.
    """
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletionMessageParam

    uris = {picture: data_uri(picture) for picture in pictures}

    async def run() -> None:
        client = AsyncOpenAI(base_url=url, api_key="none")
        asks = _asks(count, pictures)

        async def worker() -> None:
            for ask in asks:
                turn: ChatCompletionMessageParam = {"role": "user", "content": ask.text}
                if ask.image is not None:
                    shown = {"url": uris[ask.image]}
                    turn = {
                        "role": "user",
                        "content": [
                            {"type": "image_url", "image_url": {"url": shown["url"]}},
                            {"type": "text", "text": ask.text},
                        ],
                    }
                found = await client.chat.completions.create(
                    model="m", messages=[turn], temperature=0, top_p=1, max_tokens=24, seed=0
                )
                assert found.choices[0].message.content

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
        await client.close()

    asyncio.run(run())


def ours(url: str, count: int, pictures: list[bytes], *, at: Callable[[int], None] = lambda done: None) -> None:
    """The responder as a build uses it, every answer saved as it arrives."""
    responder = RemoteResponder([url], "m", concurrency=AT_ONCE)
    with tempfile.TemporaryDirectory() as folder, AnswerLog(Path(folder) / "answers.jsonl", key="k") as log:
        for done, reply in enumerate(responder.answer(_asks(count, pictures), DECODING), start=1):
            assert not reply.error, reply.error
            log.save(reply)
            at(done)
        assert len(log) == count


def _measured(run: Callable[[], None], count: int) -> tuple[float, float]:
    """(requests a second, CPU milliseconds a request)."""
    start, cpu = time.perf_counter(), time.process_time()
    run()
    return count / (time.perf_counter() - start), 1000 * (time.process_time() - cpu) / count


def compare(url: str, *, count: int, rounds: int, pictures: list[bytes]) -> None:
    """Print the throughput of both, and the median over the rounds of their ratio."""
    ratios = []
    # The first request of a process imports the package; that is of neither.
    bare(url, AT_ONCE, pictures)
    ours(url, AT_ONCE, pictures)
    for number in range(1, rounds + 1):
        reference = _measured(lambda: bare(url, count, pictures), count)
        own = _measured(lambda: ours(url, count, pictures), count)
        ratios.append(own[0] / reference[0])
        print(
            f"  round {number}: bare {reference[0]:.0f}/s ({reference[1]:.2f} ms CPU each), "
            f"ours {own[0]:.0f}/s ({own[1]:.2f} ms), {100 * ratios[-1]:.1f} %"
        )
    print(f"  ours / bare: median {100 * statistics.median(ratios):.1f} % of {rounds} rounds (wanted: at least 95 %)")


def memory(url: str, *, count: int, pictures: list[bytes]) -> None:
    """Print the resident memory along one long run."""
    process, marks = psutil.Process(), {}

    def at(done: int) -> None:
        if done in (2_000, count // 2, count):
            marks[done] = process.memory_info().rss / 2**20

    ours(url, count, pictures, at=at)
    print("  " + ", ".join(f"{done:,} requests: {rss:.1f} MiB" for done, rss in marks.items()))
    first, last = marks[2_000], marks[count]
    print(f"  from 2,000 to {count:,}: {last - first:+.1f} MiB ({100 * (last / first - 1):+.1f} %)")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long", type=int, default=20_000)
    chosen = parser.parse_args()
    if chosen.serve:
        asyncio.run(_serve())
        return
    rng = random.Random("pictures")
    pictures = [b"\xff\xd8" + rng.randbytes(PICTURE_BYTES - 2) for _ in range(PICTURES)]
    print(
        f"{AT_ONCE} at once, {LATENCY_S * 1000:.0f} ms each (ideal {AT_ONCE / LATENCY_S:.0f}/s); {os.cpu_count()} cores"
    )
    with serving() as url:
        for name, shown in (("text", []), ("40 kB pictures", pictures)):
            print(name)
            compare(url, count=chosen.requests, rounds=chosen.rounds, pictures=shown)
        for name, shown in (("memory, text", []), ("memory, 40 kB pictures", pictures)):
            print(name)
            memory(url, count=chosen.long, pictures=shown)


if __name__ == "__main__":
    main()
