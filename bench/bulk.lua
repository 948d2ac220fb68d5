-- wrk: POST of BENCH_BODY to the URL: a read of many things at once, which no cache keeps.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = os.getenv("BENCH_BODY")
