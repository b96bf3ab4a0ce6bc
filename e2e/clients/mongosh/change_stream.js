// A change stream works, or it is refused with a clear error: nothing in between.
const c = spread('watched');
fill(c, 3);

// next waits for the next event; null after a minute without one.
function next(stream) {
  for (const end = Date.now() + 60000; Date.now() < end;) {
    const event = stream.tryNext();
    if (event !== null) {
      return event;
    }
  }
  return null;
}

// attempt returns what body says, or "refused" for an error that says clearly that change streams are not supported.
function attempt(body) {
  try {
    const got = body(); // not returned at once: its error is caught here
    return got;
  } catch (error) {
    if (error.code === 115 && /change stream/i.test(error.message) && /not supported/i.test(error.message)) {
      note(`refused: ${error.message}`);
      return 'refused';
    }
    throw error;
  }
}

let refused = false;
// orRefused checks body's result where change streams work, and that every use of them is refused where they do not.
function orRefused(name, want, body) {
  check(name, 'as it should be', () => {
    const got = attempt(body);
    refused = refused || got === 'refused';
    return got === 'refused' && refused || show(got) === show(want) ? 'as it should be' : got;
  });
}

let token;
orRefused('it tells of an insert, an update and a delete on three shards', [['insert', 'east'], ['update', 'north'], ['delete', 'west']], () => {
  const stream = c.watch([], { maxAwaitTimeMS: 500 });
  try {
    stream.tryNext(); // now it is open
    c.insertOne({ _id: 10, place: 'east', n: 10 });
    c.updateOne({ place: 'north', n: 1 }, { $set: { x: 1 } });
    c.deleteOne({ place: 'west', n: 2 });
    const events = [];
    for (let i = 0; i < 3; i++) {
      const event = next(stream);
      if (event === null) {
        return ['no event after', events];
      }
      token = token ?? event._id;
      events.push([event.operationType, event.fullDocument?.place ?? places[event.documentKey._id % 3]]);
    }
    return events;
  } finally {
    stream.close();
  }
});
orRefused('it resumes after a token', ['update', 'delete'], () => {
  const stream = c.watch([], { resumeAfter: token, maxAwaitTimeMS: 500 });
  try {
    const events = [next(stream), next(stream)];
    return [events[0]?.operationType, events[1]?.operationType];
  } finally {
    stream.close();
  }
});
orRefused('it filters and looks the document up', { _id: 12, place: 'east', n: 12, x: 2 }, () => {
  const stream = c.watch([{ $match: { operationType: 'update' } }], { fullDocument: 'updateLookup', maxAwaitTimeMS: 500 });
  try {
    stream.tryNext();
    c.insertOne({ _id: 12, place: 'east', n: 12 });
    c.updateOne({ place: 'east', n: 12 }, { $set: { x: 2 } });
    const event = next(stream);
    return event?.fullDocument;
  } finally {
    stream.close();
  }
});
done();
