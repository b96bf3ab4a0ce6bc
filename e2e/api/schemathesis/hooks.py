"""What schemathesis cannot guess: keys are made at the moment of the request, tokens come from earlier answers, and carts and products have to exist."""

import os
import random
import threading
import time
import uuid

import schemathesis
from hypothesis import strategies as st

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PRODUCTS = ["book", "console", "flashlight", "kettle", "lamp", "mug", "notebook", "umbrella"]

chance = random.Random(int(os.environ["API_SEED"]))
lock = threading.Lock()
tokens = []  # guarded by lock; of the latest answers
handles = []  # guarded by lock; of the latest carts
orders = []  # guarded by lock; of the latest orders
filled = {}  # guarded by lock; the ETag of carts that can be ordered, as they were answered last


def fresh_key():
    """A ULID or a UUID of version 7, made now."""
    now, noise = time.time_ns() // 1_000_000, chance.getrandbits(80)
    if chance.random() < 0.5:
        bits = now << 80 | noise
        return "".join(CROCKFORD[bits >> 5 * i & 31] for i in reversed(range(26)))
    return str(uuid.UUID(int=now << 80 | 7 << 76 | (noise >> 68) << 64 | 2 << 62 | noise & (1 << 62) - 1))


# The values themselves are put in when the request is sent: see before_call.
schemathesis.openapi.format("idempotency-key", st.builds(fresh_key))
schemathesis.openapi.format("causal-token", st.just("token"))


def is_right(case):
    return case.meta is None or case.meta.generation.mode.value == "positive"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Gives requests that are meant to be right what makes them so; those that are meant to be wrong stay as they are."""
    if not is_right(case):
        return
    headers, path = case.headers, case.path_parameters or {}
    with lock:
        if headers and "Idempotency-Key" in headers:
            headers["Idempotency-Key"] = fresh_key()
        if headers and "X-Geoshard-Token" in headers:
            if tokens:
                headers["X-Geoshard-Token"] = chance.choice(tokens)
            else:
                del headers["X-Geoshard-Token"]
        if "handle" in path and chance.random() < 0.8:
            choose_handle(case, headers, path)
        if "sku" in path and chance.random() < 0.8:
            path["sku"] = chance.choice(PRODUCTS)
        if isinstance(case.body, dict) and "sku" in case.body and chance.random() < 0.8:
            case.body["sku"] = chance.choice(PRODUCTS)


def choose_handle(case, headers, path):
    """Something that is there: an order, a cart that can be ordered with its version, or any cart. The lock is held."""
    if case.operation.path.startswith("/v1/orders/"):
        if orders:
            path["handle"] = chance.choice(orders)
    elif case.operation.path.endswith("/checkout"):
        if filled:
            path["handle"], headers["If-Match"] = chance.choice(list(filled.items()))
    elif handles and path["handle"] not in handles:
        path["handle"] = chance.choice(handles)


@schemathesis.hook
def after_call(context, case, response):
    with lock:
        for value in response.headers.get("x-geoshard-token", []):
            keep(tokens, value)
        for value in response.headers.get("location", []):
            keep(orders if value.startswith("/v1/orders/") else handles, value.rsplit("/", 1)[-1])
        if response.status_code != 200 or "etag" not in response.headers:
            return
        cart = response.json()
        filled.pop(cart["handle"], None)
        if cart["status"] == "open" and any("delays" not in item for item in cart["items"]):
            filled[cart["handle"]] = response.headers["etag"][0]


def keep(latest, value):
    latest.append(value)
    del latest[:-20]
