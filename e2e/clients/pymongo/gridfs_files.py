"""GridFS: files in two collections, with its indexes and its many reads and writes."""

import hashlib

import gridfs

from check import check, db, done

files = gridfs.GridFSBucket(db, chunk_size_bytes=100_000)
content = hashlib.shake_256(b"geoshard").digest(3_000_000)
stored = files.upload_from_stream("one", content, metadata={"kind": "test"})

check("a file comes back as it went", True, lambda: files.open_download_stream(stored).read() == content)
check("it is in 30 pieces", 30, lambda: db.fs.chunks.count_documents({"files_id": stored}))
check("it can be found by its name", [3_000_000, "test"], lambda: [[f.length, f.metadata["kind"]] for f in files.find({"filename": "one"})][0])
check("a second revision", b"second", lambda: (files.upload_from_stream("one", b"second"), files.open_download_stream_by_name("one").read())[1])
check("the first revision", 3_000_000, lambda: len(files.open_download_stream_by_name("one", revision=0).read()))
check("reading from the middle", content[1_234_567:1_234_667], lambda: (lambda f: (f.seek(1_234_567), f.read(100))[1])(files.open_download_stream(stored)))
check("deleting it", 0, lambda: (files.delete(stored), db.fs.chunks.count_documents({"files_id": stored}))[1])
done()
