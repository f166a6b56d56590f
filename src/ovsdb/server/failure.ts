/**
 * What goes wrong with a request, as RFC 7047 section 3.1 <error>: a tag that programs compare, details that people
 * read, and the JSON that was at fault. Thrown where it is found and caught where the reply is made.
 */
import { jsonText } from '../exact-json.ts';
import { isObject, type Json, type JsonObject } from '../json-stream.ts';

export class OvsdbFailure extends Error {
  readonly tag: string;
  /** Text of the JSON at fault, null when the failure is not one of syntax. */
  readonly syntax: string | null;

  constructor(tag: string, details: string, syntax: Json | undefined = undefined) {
    super(details);
    this.name = 'OvsdbFailure';
    this.tag = tag;
    this.syntax = syntax === undefined ? null : canonicalText(syntax);
  }

  toJson(): JsonObject {
    const json: JsonObject = { error: this.tag, details: this.message };
    if (this.syntax !== null) json.syntax = this.syntax;
    return json;
  }
}

export const syntaxError = (json: Json | undefined, details: string): OvsdbFailure =>
  new OvsdbFailure('syntax error', details, json);

export const violation = (details: string): OvsdbFailure =>
  new OvsdbFailure('constraint violation', details);

/** Compact JSON with sorted members: equal values have equal texts. */
export function canonicalText(json: Json): string {
  if (Array.isArray(json)) return `[${json.map(canonicalText).join(',')}]`;
  if (!isObject(json)) return jsonText(json);
  const members = Object.keys(json)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalText(json[name])}`);
  return `{${members.join(',')}}`;
}
