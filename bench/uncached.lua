-- wrk: GET of BENCH_PATH, past the server's cache.
wrk.method = "GET"
wrk.path = os.getenv("BENCH_PATH")
wrk.headers["Cache-Control"] = "no-cache"
