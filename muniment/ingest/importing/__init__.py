"""WARC, ARC and WACZ files: their records as captures, one after another, in bounded memory.

inflow.py     bytes of a file, through gzip members, with the place of each; what is damaged is passed over
spool.py      a block, in memory or, where it is long, in a temporary file
records.py    the records in an inflow, and the damage between them
digests.py    digests as others write them, and whether they hold
captures.py   records -> what is kept of them, with the requests and metadata that belong to them
lz4.py        frames of LZ4, unpacked
wacz.py       the files in a WACZ, after a look at whether the zip is a trap
files.py      what a file is, and everything in it: the way in
"""
