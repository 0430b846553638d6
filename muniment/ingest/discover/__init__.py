"""Documents that name articles: feeds, sitemaps, robots.txt, pages with links. Pure: bytes in, a Listing out.

`reading.read_listing` is the entry; run it inside `clean.workers`, for what comes from outside can be hostile.
"""
