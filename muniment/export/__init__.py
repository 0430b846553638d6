"""What others' tools read: WARC, WACZ, BagIt, JSONL, CSV. Everything is streamed; no payload is ever held in memory."""
