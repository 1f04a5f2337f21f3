"""Django's own cache and session back ends: `redis` (REDIS_URLS), or `memcached` through pymemcache (MEMCACHED_SERVERS)."""

import os
import sys
import threading

import django
from checks import end, part, refused, same, true
from django.conf import settings

name = sys.argv[1]
back_ends = {
    "redis": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ.get("REDIS_URLS", "").split()},
    "memcached": {
        "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
        "LOCATION": os.environ.get("MEMCACHED_SERVERS", "").split(","),
    },
}

settings.configure(
    SECRET_KEY="only for the test",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    CACHES={"default": back_ends[name]},
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.cache.UpdateCacheMiddleware",
                "django.middleware.cache.FetchFromCacheMiddleware"],
    CACHE_MIDDLEWARE_SECONDS=60,
)
django.setup()

from django.core.cache import caches  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402

rendered = []


def visit(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    request.session["basket"] = request.session.get("basket", []) + [request.GET.get("add", "nothing")]
    return HttpResponse(f"{request.session['visits']} {','.join(request.session['basket'])}", headers={"Cache-Control": "private"})


def page(request):
    rendered.append(1)
    return HttpResponse(f"rendered {len(rendered)} times")


def leave(request):
    request.session.flush()
    return HttpResponse("bye", headers={"Cache-Control": "private"})


urlpatterns = [path("visit", visit), path("page", page), path("leave", leave)]


def exercise():
    cache = caches["default"]
    cache.clear()
    with part("the cache"):
        cache.set("k", {"a": [1, 2, ("t",)]}, 60)
        same("get", cache.get("k"), {"a": [1, 2, ("t",)]})
        same("add of what is there", cache.add("k", "other"), False)
        same("add", cache.add("new", "x", 60), True)
        same("get_or_set", cache.get_or_set("computed", lambda: 42, 60), 42)
        same("set_many", cache.set_many({f"m{n}": n for n in range(50)}, 60), [])
        same("get_many", cache.get_many([f"m{n}" for n in range(0, 60, 10)]), {f"m{n}": n for n in range(0, 50, 10)})
        cache.set("n", 10)
        same("incr", [cache.incr("n"), cache.incr("n", 5), cache.decr("n", 2)], [11, 16, 14])
        refused("incr of nothing", lambda: cache.incr("none"), "not found")
        same("touch", cache.touch("k", 100), True)
        same("touch of nothing", cache.touch("none", 100), False)
        same("has_key", ["k" in cache, "none" in cache], [True, False])
        same("delete", [cache.delete("k"), cache.delete("k")], [True, False])
        cache.delete_many(["m1", "m2"])
        same("delete_many", cache.get_many(["m1", "m2", "m3"]), {"m3": 3})
        cache.set("versioned", "one", version=1)
        cache.incr_version("versioned")
        same("incr_version", [cache.get("versioned"), cache.get("versioned", version=2)], [None, "one"])
        cache.set("gone", "x", 0)
        same("a time of nothing", cache.get("gone"), None)
        cache.set("for_ever", "x", None)
        same("no time", cache.get("for_ever"), "x")
        cache.set("ключ", "значение")
        same("a key that is not ASCII", cache.get("ключ"), "значение")
        cache.set("large", "x" * 900_000)
        same("a large value", len(cache.get("large") or ""), 900_000)
        cache.set("count", 0)

        def count():
            for _ in range(50):
                caches["default"].incr("count")

        threads = [threading.Thread(target=count) for _ in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        same("increments of four threads", cache.get("count"), 200)
        cache.clear()
        same("clear", cache.get("count"), None)


exercise()
with part("sessions"):
    browser, other = Client(), Client()
    same("first visit", browser.get("/visit?add=apple").content, b"1 apple")
    same("second visit", browser.get("/visit?add=pear").content, b"2 apple,pear")
    same("another's visit", other.get("/visit").content, b"1 nothing")
    browser.get("/leave")
    same("after the session's end", browser.get("/visit").content, b"1 nothing")
with part("pages in the cache"):
    same("a page", [Client().get("/page").content for _ in range(3)], [b"rendered 1 times"] * 3)
end()
