import type { UnsupportedNames } from '../src/legacy/row.ts';

/** The names of claude-flow 2.7 that nothing here does, by subject; each hint is true of every name beside it. */
export const CLAUDE_FLOW_2_UNSUPPORTED: readonly UnsupportedNames[] = [
  {
    subject: 'neural networks',
    names: [
      'neural_status',
      'neural_train',
      'neural_patterns',
      'neural_predict',
      'neural_compress',
      'neural_explain',
      'model_load',
      'model_save',
      'inference_run',
      'ensemble_create',
      'transfer_learn',
      'learning_adapt',
      'pattern_recognize',
      'cognitive_analyze',
      'wasm_optimize',
    ],
    hint: 'No model is trained or run here; keep what was learned with memory_usage and find it again with memory_search.',
  },
  {
    subject: 'backups',
    names: ['backup_create', 'restore_system'],
    hint: 'Keep the database with memory_backup and bring it back with memory_restore; the reports of runs are plain files.',
  },
  {
    subject: 'workflows',
    names: ['workflow_create', 'workflow_execute', 'workflow_export', 'workflow_template', 'pipeline_create', 'sparc_mode'],
    hint: 'Write it as a skill (a folder with SKILL.md and swarm.yaml; see skill_show for one) and run it with skill_run.',
  },
  {
    subject: 'automation',
    names: ['automation_setup', 'scheduler_manage', 'trigger_setup'],
    hint: 'Nothing stays running here; let cron, a CI job or a hook of your client start `skillflow`.',
  },
  {
    subject: 'figures',
    names: ['performance_report', 'bottleneck_analyze', 'benchmark_run', 'metrics_collect', 'trend_analysis', 'usage_stats'],
    hint: 'No such report is made, and none is made up; run_status and agent_metrics show what was measured of runs and agents.',
  },
  {
    subject: 'figures',
    names: ['token_usage', 'cost_analysis'],
    hint: 'agent_metrics shows the tokens and dollars of agents, run_status those of a run; the use of your own client is not seen here.',
  },
  {
    subject: 'code quality',
    names: ['quality_assess', 'security_scan', 'github_code_review'],
    hint: 'Run the skill code-review-swarm with skill_run, on a local checkout.',
  },
  {
    subject: 'logs',
    names: ['error_analysis', 'log_analysis'],
    hint: 'Log files are not read here; give the log to your assistant.',
  },
  {
    subject: 'GitHub',
    names: [
      'github_repo_analyze',
      'github_pr_manage',
      'github_issue_track',
      'github_release_coord',
      'github_workflow_auto',
      'github_sync_coord',
      'github_metrics',
    ],
    hint: 'GitHub is not reached from here; use its command line `gh` or its own MCP server.',
  },
  { subject: 'system', names: ['terminal_execute'], hint: 'Commands are not run here; use the shell of your client.' },
  {
    subject: 'system',
    names: ['config_manage'],
    hint: 'Edit .skillflow/config.json of the project, or set SKILLFLOW_THREADS and the like in the environment.',
  },
  { subject: 'system', names: ['features_detect', 'diagnostic_run', 'health_check'], hint: 'Call the tool health.' },
];
