-- wrk: deduped creates of systems that have an open incident: found, not made.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. (os.getenv("TOCSIN_KEY") or "")
function init() math.randomseed(os.time()) end
function request()
  return wrk.format(nil, nil, nil, string.format(
    '{"title":"Down","severity":"critical","systemIds":["scale-%d"],"dedupeOpenForSystem":true}', math.random(100)))
end
