/** The names that `tools/list` of claude-flow 2.7 shows. */
export const CLAUDE_FLOW_2_NAMES: readonly string[] = `
  swarm_init agent_spawn task_orchestrate swarm_status neural_status neural_train neural_patterns memory_usage
  memory_search performance_report bottleneck_analyze token_usage github_repo_analyze github_pr_manage daa_agent_create
  daa_capability_match workflow_create sparc_mode agent_list agent_metrics swarm_monitor topology_optimize load_balance
  coordination_sync swarm_scale swarm_destroy neural_predict model_load model_save wasm_optimize inference_run
  pattern_recognize cognitive_analyze learning_adapt neural_compress ensemble_create transfer_learn neural_explain
  memory_persist memory_namespace memory_backup memory_restore memory_compress memory_sync cache_manage state_snapshot
  context_restore memory_analytics task_status task_results benchmark_run metrics_collect trend_analysis cost_analysis
  quality_assess error_analysis usage_stats health_check workflow_execute workflow_export automation_setup pipeline_create
  scheduler_manage trigger_setup workflow_template batch_process parallel_execute github_issue_track github_release_coord
  github_workflow_auto github_code_review github_sync_coord github_metrics daa_resource_alloc daa_lifecycle_manage
  daa_communication daa_consensus daa_fault_tolerance daa_optimization terminal_execute config_manage features_detect
  security_scan backup_create restore_system log_analysis diagnostic_run agents_spawn_parallel query_control query_list
`
  .trim()
  .split(/\s+/);
