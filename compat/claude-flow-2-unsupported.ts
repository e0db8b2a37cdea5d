import type { UnsupportedNames } from '../src/legacy/row.ts';

/** The names of claude-flow 2.7 that nothing here does, by subject; each hint is true of every name beside it. */
export const CLAUDE_FLOW_2_UNSUPPORTED: readonly UnsupportedNames[] = [
  {
    subject: 'swarms',
    names: ['agent_metrics', 'swarm_monitor'],
    hint: 'Agents of a swarm are records that run nothing, so there is nothing to measure; swarm_status counts them.',
  },
  {
    subject: 'swarms',
    names: ['topology_optimize', 'load_balance', 'coordination_sync'],
    hint: 'A skill fixes its topology and its agents in swarm.yaml, and skill_run balances and joins their work.',
  },
  { subject: 'swarms', names: ['agents_spawn_parallel'], hint: 'Call agent_spawn once for each agent.' },
  { subject: 'swarms', names: ['swarm_scale'], hint: 'Add agents with agent_spawn; maxAgents is fixed by swarm_init.' },
  {
    subject: 'swarms',
    names: ['swarm_destroy'],
    hint: 'A swarm is a record without processes, so there is nothing to stop; swarm_init makes a new one the active one.',
  },
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
    subject: 'tasks',
    names: ['task_results'],
    hint: 'Free-form tasks are not executed; task_status says why. Results come from skill_run.',
  },
  {
    subject: 'workflows',
    names: ['workflow_create', 'workflow_execute', 'workflow_export', 'workflow_template', 'pipeline_create', 'sparc_mode'],
    hint: 'Write it as a skill (a folder with SKILL.md and swarm.yaml; see skill_show for one) and run it with skill_run.',
  },
  {
    subject: 'workflows',
    names: ['parallel_execute', 'batch_process'],
    hint: 'Free-form tasks are not executed here; skill_run runs the agents of a skill in parallel.',
  },
  {
    subject: 'automation',
    names: ['automation_setup', 'scheduler_manage', 'trigger_setup'],
    hint: 'Nothing stays running here; let cron, a CI job or a hook of your client start `skillflow`.',
  },
  {
    subject: 'figures',
    names: [
      'performance_report',
      'bottleneck_analyze',
      'benchmark_run',
      'metrics_collect',
      'trend_analysis',
      'usage_stats',
      'token_usage',
      'cost_analysis',
    ],
    hint: 'No such figures are kept, and none are made up; run_status shows what a run did and how long its steps took.',
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
  {
    subject: 'autonomous agents',
    names: ['daa_agent_create', 'daa_capability_match', 'daa_resource_alloc', 'daa_lifecycle_manage'],
    hint: 'Register agents with agent_spawn and see them with agent_list; they own no resources and have no lifecycle.',
  },
  {
    subject: 'autonomous agents',
    names: ['daa_communication', 'daa_consensus', 'daa_fault_tolerance', 'daa_optimization'],
    hint: 'Agents pass on work, vote and are retried inside skill_run, as the skill says in swarm.yaml.',
  },
  { subject: 'system', names: ['terminal_execute'], hint: 'Commands are not run here; use the shell of your client.' },
  {
    subject: 'system',
    names: ['config_manage'],
    hint: 'Edit .skillflow/config.json of the project, or set SKILLFLOW_THREADS and the like in the environment.',
  },
  { subject: 'system', names: ['features_detect', 'diagnostic_run', 'health_check'], hint: 'Call the tool health.' },
  {
    subject: 'system',
    names: ['query_control', 'query_list'],
    hint: 'There are runs instead of queries: see run_list and run_status.',
  },
];
