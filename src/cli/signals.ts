/** Signals of a daemon: SIGTERM and SIGINT end it cleanly, SIGHUP makes it open its log anew (ovs-vswitchd(8)). */

export interface SignalActions {
  /** Called once; a second signal ends the process at once. */
  terminate: (signal: NodeJS.Signals) => void;
  reopenLog: () => void;
}

export function handleSignals(actions: SignalActions): void {
  let terminating = false;
  const end = (signal: NodeJS.Signals): void => {
    if (terminating) process.exit(1);
    terminating = true;
    actions.terminate(signal);
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('SIGHUP', actions.reopenLog);
  // A reader that went away (the terminal, a pipe) must not end the switch.
  process.on('SIGPIPE', () => {});
}
