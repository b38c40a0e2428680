import type { Readable } from 'node:stream';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { MatrixError } from '../errors.ts';
import type { Logger } from '../log.ts';

const JSON_TYPE = 'application/json';

/**
 * Sends JSON text as it is. Its type comes without a charset, which JSON does not have and the specification does not name; with a
 * serializer of its own the framework adds none.
 */
export function sendJson(reply: FastifyReply, text: string | Buffer | Readable): FastifyReply {
  return reply
    .header('content-type', JSON_TYPE)
    .serializer((json: string) => json)
    .send(text);
}

/** Answers any failure as a standard error; what is not a MatrixError is logged and its text never leaves the server. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Logger): FastifyReply {
  const known = asMatrixError(error) ?? unexpected(error, request, log);
  return sendJson(reply.code(known.status).headers(known.headers), JSON.stringify(known.toBody()));
}

function unexpected(err: unknown, request: FastifyRequest, log: Logger): MatrixError {
  log.error({ err, req_id: request.id, endpoint: request.routeOptions.url ?? 'unknown' }, 'request failed');
  return new MatrixError('M_UNKNOWN');
}

/** Our own errors as they are, the framework's translated; undefined for a fault of the program. */
export function asMatrixError(error: unknown): MatrixError | undefined {
  if (error instanceof MatrixError) return error;
  if (!isFastifyError(error)) return undefined;
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new MatrixError('M_TOO_LARGE', 'The request body is larger than this server takes.');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new MatrixError('M_NOT_JSON', 'The body is not as long as Content-Length says.');
    case 'FST_ERR_BAD_URL':
      return new MatrixError('M_INVALID_PARAM', 'The path is not a valid percent-encoded UTF-8 text.');
    default:
      return isRefusal(error) ? new MatrixError('M_UNKNOWN', 'The request is malformed.', { status: 400 }) : undefined;
  }
}

/** The client hung up while the body was on its way, and the like: the framework's other 4xx. */
function isRefusal(error: FastifyError): boolean {
  return error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500;
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}
