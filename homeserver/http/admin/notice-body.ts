import * as z from 'zod';
import { JsonContent } from '../json-content.ts';
import { parseInput } from '../parse-input.ts';

const NoticeBody = z.looseObject({
  user_id: z.string().max(255),
  content: JsonContent,
  type: z.string().min(1).max(255).default('m.room.message'),
});

/** Read after the caller is known to be an administrator: nobody else is told what the body should be like. */
export function noticeOf(body: unknown) {
  parseInput(NoticeBody, body, 'body');
  const { user_id: userId, content, type } = NoticeBody.parse(body);
  return { userId, content, type };
}
