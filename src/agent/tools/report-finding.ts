import { FINDING_INPUT } from '../answer-schema.ts';
import { agentTool } from './agent-tool.ts';
import { projectPath } from './project-file.ts';

export const reportFindingTool = agentTool({
  name: 'report_finding',
  description: 'Reports a finding at once, so that it is kept whatever comes after. Do not repeat it in your answer.',
  input: FINDING_INPUT,
  call: async (finding, { changes, report }) => {
    const { path } = await projectPath(changes.root, finding.file);
    report({ ...finding, file: path });
    return 'reported';
  },
});
