/**
 * What code below the command line knows of logging: one Logger per module name, received as an argument.
 * util/vlog.ts makes them.
 */
export type LogLevel = 'emer' | 'err' | 'warn' | 'info' | 'dbg';

export interface Logger {
  emer(message: string): void;
  err(message: string): void;
  warn(message: string): void;
  info(message: string): void;
  dbg(message: string): void;
  /** True when a message of this level would go anywhere: check before building a costly text. */
  enabled(level: LogLevel): boolean;
}

/** Hands out loggers; `module` is Open vSwitch's vlog module name (bridge, ofproto_dpif, netdev, ...). */
export interface LogSource {
  module(name: string): Logger;
}
