-- wrk: GET of a random one of 200,000 incidents (reads.py), more than any cache here holds.
local threads = 0
function setup(t) t:set("tid", threads); threads = threads + 1 end
function init() math.randomseed(os.time() + tid) end
function request()
  return wrk.format("GET", string.format("/api/v1/incidents/0190aaaa-0000-7000-8000-%012x", math.random(200000)))
end
