-- wrk: GET of one URL, again and again.
wrk.method = "GET"
