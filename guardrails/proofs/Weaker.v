(** The weaker guarantee: the loss is measured against the mark at the last decision, frozen there.

    Without the gain in the condition a rise and a fall inside one interval move the live mark and
    leave NAV where the certificate allowed it. What is left is a guarantee for the decision-time
    mark; it must not be told as a bound on drawdown. *)
Require Import QArith Qminmax Lqa List Arith Lia.
Import ListNotations.
Open Scope Q_scope.
From AgentFund Require Import Sums Legs Ledger Machine.

(** The condition without the gain. *)
Definition decision_mark_safe (rho V H loss gain costs : Q) : Prop :=
  (1 - rho) * H <= V - loss - costs.

(** With the mark frozen at the decision, NAV is at least (1 - rho) times that mark. *)
Theorem decision_mark_drawdown_bounded : forall M rho s,
  reachable M (covered M) (decision_mark_safe rho) s -> (1 - rho) * peak (last s) <= live_nav M s.
Proof.
  intros M rho s Rs. pose proof (nav_stays_certified M _ (fun b w c => c) _ s Rs) as [N _].
  apply reachable_sound in Rs; [|auto]. destruct Rs as [_ S _ _ _ _ _].
  unfold safe_at, decision_mark_safe in S. lra.
Qed.

(** Against the live mark, only so much is left: the gain of one interval may be given back on top
    of the drawdown. *)
Theorem live_drawdown_with_decision_mark : forall M rho, rho <= 1 -> forall s,
  reachable M (covered M) (decision_mark_safe rho) s ->
  (1 - rho) * (high_water s - whole_gain (within (last s))) <= live_nav M s.
Proof.
  intros M rho R s Rs. pose proof (nav_stays_certified M _ (fun b w c => c) _ s Rs) as [N _].
  apply reachable_sound in Rs; [|auto]. destruct Rs as [C S K V _ U _].
  unfold safe_at, decision_mark_safe in S.
  destruct C as [_ [_ [G [_ [A _]]]]].
  assert (T : high_water s - whole_gain (within (last s)) <= peak (last s)).
  { unfold whole_gain in *.
    destruct (max_cases (peak (last s)) (value M (on (last s)) + (gain (within (last s))
      + apart (within (last s))))) as [[P Q]|[P Q]]; rewrite Q in U; lra. }
  pose proof (Qmult_le_compat_r _ _ (1 - rho) T ltac:(lra)) as X. lra.
Qed.

(** One instrument at 100, one venue, moves from -10 % to +50 %. *)
Definition one_instrument : mandate.
Proof.
  refine {|
    instruments := 1; venues := 1; venue_of := fun _ => 0%nat;
    stress := fun _ x => - (1 # 10) <= x 0%nat <= 1 # 2;
    lowest := fun p i => p i * (9 # 10); highest := fun p i => p i * (3 # 2);
    most_paid := fun _ => 0; most_received := fun _ => 0; may_fail := []; takes := Nat.eqb |}.
  - intros. lra.
  - intros. lra.
  - intros. lia.
Defined.

Definition one_unit : book :=
  {| price := fun _ => 100; positions := fun _ => 1; money := fun _ => 0; chains := [] |}.

Lemma one_unit_covered : covered one_instrument one_unit
  {| loss := 10; gain := 50; trading := 0; apart := 0 |}.
Proof.
  unfold covered. simpl. repeat split; try lra.
  - intros. lra.
  - destruct H as [H|[]]. destruct H0 as [H0|[]]. subst.
    unfold case_loss, stake, drift, value, worth,
      at_venue, worst. simpl. lra.
  - destruct H as [H|[]]. destruct H0 as [H0|[]]. subst.
    unfold case_gain, stake, drift, value, worth,
      at_venue, worst. simpl. lra.
Qed.

(** The frozen mark does not bound the drawdown: a fund that meets the condition at 10 % can go from
    100 to 150 and then to 90, 40 % below its high-water mark. *)
Theorem decision_mark_is_weaker : exists M s,
  reachable M (covered M) (decision_mark_safe (1 # 10)) s /\
  high_water s == 150 /\ live_nav M s == 90.
Proof.
  set (w := {| loss := 10; gain := 50; trading := 0; apart := 0 |}).
  set (move := fun (l : live) (p : Q) => {|
    cash := credit one_instrument (cash l) (fun i => - (held l i * (0 - paid l i)));
    held := held l; mark := fun _ => p; paid := fun _ => 0; fills := fills l;
    cancelled := cancelled l; lost := lost l; spent := spent l; missed := missed l |}).
  set (s0 := decided Active one_unit w 100).
  set (up := move (now s0) 150). set (down := move up 90).
  set (s1 := {| at_mode := Active; last := last s0; now := up;
                high_water := Qmax 100 (nav one_instrument up) |}).
  set (s2 := {| at_mode := Active; last := last s0; now := down;
                high_water := Qmax (high_water s1) (nav one_instrument down) |}).
  exists one_instrument, s2. split; [|split].
  - apply Next with s1; [apply Next with s0|].
    + apply Start.
      * split; [exact one_unit_covered|].
        unfold safe_at, decision_mark_safe, all_costs, value, worth.
        simpl. lra.
      * unfold value, worth. simpl. lra.
    + apply Tick. apply Move with (x := fun _ => 1 # 2).
      * simpl. lra.
      * intros i _. unfold all_in. simpl. lra.
      * intros i _. simpl. lra.
    + apply (Tick one_instrument (covered one_instrument) (decision_mark_safe (1 # 10)) s1).
      apply Move with (x := fun _ => - (1 # 10)).
      * simpl. lra.
      * intros i _. unfold all_in. simpl. lra.
      * intros i _. simpl. lra.
  - vm_compute. reflexivity.
  - vm_compute. reflexivity.
Qed.

Print Assumptions decision_mark_drawdown_bounded.
Print Assumptions live_drawdown_with_decision_mark.
Print Assumptions decision_mark_is_weaker.
