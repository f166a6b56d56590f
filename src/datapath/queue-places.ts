/** Which worker serves which receive queue: in turn, each queue to the worker that has the fewest. */

/**
 * Workers for the `count` queues of one port, given how many queues each worker has; `loads` is brought up to date. Queues of one
 * port go to different workers as far as there are.
 */
export function placeQueues(count: number, loads: number[]): number[] {
  const places: number[] = [];
  const ofPort = loads.map(() => 0);
  for (let queue = 0; queue < count; queue++) {
    let best = 0;
    for (let worker = 1; worker < loads.length; worker++) {
      const order = ofPort[worker] - ofPort[best] || loads[worker] - loads[best];
      if (order < 0) best = worker;
    }
    loads[best]++;
    ofPort[best]++;
    places.push(best);
  }
  return places;
}
