import * as z from 'zod';
import { UnavailableError } from '../../errors.ts';
import { agentTool } from './agent-tool.ts';

export const sendMessageTool = agentTool({
  name: 'send_message',
  description: "Puts a message into another agent's mailbox; it is read when that agent works next.",
  input: z.object({
    to: z.string().min(1).max(200).describe("The agent's id, or a role's name"),
    body: z.string().min(1).max(8_000),
  }),
  call: async ({ to, body }, { mail, scope, redact }) => {
    if (mail === undefined) throw new UnavailableError('there are no mailboxes in this run: say it in your answer');
    await mail(scope, to, redact(body));
    return `sent to ${to}`;
  },
});
