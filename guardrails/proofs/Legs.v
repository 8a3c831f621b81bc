(** Ordered legs: each leg of a chain waits until the one before it is wholly filled, so the market
    picks a prefix of full legs, one leg that may be filled in part, and none after it.

    [cases] is [agent_fund/guard/cases.py]'s: the product, over the chains, of the leg that is the
    first not known to be full. A verdict certifies every case; the theorems say that this covers
    every book that its own fills can make, at every moment. *)
Require Import QArith Qminmax Lqa List.
Import ListNotations.
Open Scope Q_scope.
From AgentFund Require Import Sums Fills.

Section Legs.
  Variable leg : Type.

  (** Legs wholly filled, and legs that may be. *)
  Definition case := (list leg * list leg)%type.

  Fixpoint chain_cases (chain : list leg) : list case :=
    match chain with
    | [] => [([], [])]
    | [l] => [([], [l])]
    | l :: rest => ([], [l]) :: map (fun c => (l :: fst c, snd c)) (chain_cases rest)
    end.

  Fixpoint cases (chains : list (list leg)) : list case :=
    match chains with
    | [] => [([], [])]
    | chain :: rest =>
        flat_map (fun c => map (fun c' => (fst c ++ fst c', snd c ++ snd c')) (cases rest))
          (chain_cases chain)
    end.

  Lemma chain_cases_legs : forall (P : leg -> Prop) chain c, Forall P chain ->
    In c (chain_cases chain) -> Forall P (fst c) /\ Forall P (snd c).
  Proof.
    intros P chain. induction chain as [|l rest IH]; intros c F H.
    - destruct H as [H|[]]. subst. split; constructor.
    - inversion F as [|? ? Fl Fr]; subst.
      assert (One : Forall P (fst (@nil leg, [l])) /\ Forall P (snd (@nil leg, [l])))
        by (split; repeat constructor; exact Fl).
      destruct rest as [|l' rest].
      + destruct H as [H|[]]. subst. exact One.
      + destruct H as [H|H]; [subst; exact One|]. apply in_map_iff in H.
        destruct H as [c' [E H]]. subst. destruct (IH c' Fr H) as [A B]. simpl.
        split; [constructor; assumption|exact B].
  Qed.

  Lemma cases_legs : forall (P : leg -> Prop) chains c, Forall (Forall P) chains ->
    In c (cases chains) -> Forall P (fst c) /\ Forall P (snd c).
  Proof.
    intros P chains. induction chains as [|chain rest IH]; intros c F H.
    - destruct H as [H|[]]. subst. split; constructor.
    - inversion F as [|? ? Fc Fr]; subst. simpl in H. apply in_flat_map in H.
      destruct H as [a [Ha H]]. apply in_map_iff in H. destruct H as [a' [E Ha']]. subst. simpl.
      destruct (chain_cases_legs P chain a Fc Ha). destruct (IH a' Fr Ha').
      split; apply Forall_app; split; assumption.
  Qed.

  (** A chain with the share of each leg that is filled. *)
  Definition progress := list (leg * Q).

  Definition idle (p : progress) : Prop := Forall (fun f => snd f == 0) p.

  (** Shares lie in [0,1], and nothing is filled after a leg that is not full. *)
  Fixpoint ordered (p : progress) : Prop :=
    match p with
    | [] => True
    | (_, phi) :: rest => 0 <= phi <= 1 /\ (phi == 1 \/ idle rest) /\ ordered rest
    end.

  (** What the legs do if each share of a leg does that share of [effect]. *)
  Fixpoint done (effect : leg -> Q) (p : progress) : Q :=
    match p with [] => 0 | (l, phi) :: rest => phi * effect l + done effect rest end.

  Fixpoint all_done (effect : leg -> Q) (ps : list progress) : Q :=
    match ps with [] => 0 | p :: rest => done effect p + all_done effect rest end.

  Fixpoint whole (effect : leg -> Q) (ls : list leg) : Q :=
    match ls with [] => 0 | l :: rest => effect l + whole effect rest end.

  Fixpoint options (effect : leg -> Q) (ls : list leg) : Q :=
    match ls with [] => 0 | l :: rest => positive_part (effect l) + options effect rest end.

  (** A case at its worst: full legs as they are, each other leg an option of the market. *)
  Definition worst (effect : leg -> Q) (c : case) : Q :=
    whole effect (fst c) + options effect (snd c).

  Lemma idle_done : forall effect p, idle p -> done effect p == 0.
  Proof.
    intros effect p H. induction H as [|[l phi] rest Z _ IH]; simpl in *; [lra|].
    rewrite Z, IH. lra.
  Qed.

  Lemma whole_app : forall effect a b, whole effect (a ++ b) == whole effect a + whole effect b.
  Proof. induction a as [|l a IH]; intro b; simpl; [lra|]. rewrite IH. lra. Qed.

  Lemma options_app : forall effect a b,
    options effect (a ++ b) == options effect a + options effect b.
  Proof. induction a as [|l a IH]; intro b; simpl; [lra|]. rewrite IH. lra. Qed.

  (** Whatever prefix of a chain the market picks, one of the chain's cases is at least as bad. *)
  Theorem prefix_is_covered : forall effect p, ordered p ->
    exists c, In c (chain_cases (map fst p)) /\ done effect p <= worst effect c.
  Proof.
    intros effect p. induction p as [|[l phi] rest IH]; intro H.
    - exists ([], []). split; [left; reflexivity|]. unfold worst. simpl. lra.
    - destruct H as [A [Order Rest]].
      assert (Option : idle rest ->
        done effect ((l, phi) :: rest) <= worst effect ([], [l])).
      { intro I. unfold worst. simpl. rewrite (idle_done effect rest I).
        pose proof (partial_fill_is_option phi (effect l) A). lra. }
      destruct rest as [|next rest].
      + exists ([], [l]). split; [left; reflexivity|]. apply Option. constructor.
      + destruct Order as [Full|I].
        * destruct (IH Rest) as [c [Hin Hle]].
          exists (l :: fst c, snd c). split.
          -- right. apply in_map_iff. exists c. split; [reflexivity|exact Hin].
          -- change (phi * effect l + done effect (next :: rest)
               <= worst effect (l :: fst c, snd c)).
             unfold worst in *. simpl fst. simpl snd. simpl whole. rewrite Full. lra.
        * exists ([], [l]). split; [left; reflexivity|]. apply Option. exact I.
  Qed.

  (** Every fill state of every chain, of the open orders and of the proposal, is covered by one of
      the cases that a verdict certifies. *)
  Theorem fill_state_is_covered : forall effect ps, Forall ordered ps ->
    exists c, In c (cases (map (map fst) ps)) /\ all_done effect ps <= worst effect c.
  Proof.
    intros effect ps H. induction H as [|p rest O _ IH].
    - exists ([], []). split; [left; reflexivity|]. unfold worst. simpl. lra.
    - destruct (prefix_is_covered effect p O) as [c [Hc Lc]]. destruct IH as [c' [Hc' Lc']].
      exists (fst c ++ fst c', snd c ++ snd c'). split.
      + simpl. apply in_flat_map. exists c. split; [exact Hc|].
        apply in_map_iff. exists c'. split; [reflexivity|exact Hc'].
      + unfold worst in *. simpl. rewrite whole_app, options_app. lra.
  Qed.

  (** One more fill: a further share of one leg, all legs before it in its chain being full. *)
  Inductive fill : list progress -> leg -> Q -> list progress -> Prop :=
  | Fill : forall before full l phi more after share,
      Forall (fun f => snd f == 1) full -> 0 <= share -> phi + share <= 1 ->
      fill (before ++ (full ++ (l, phi) :: more) :: after) l share
           (before ++ (full ++ (l, phi + share) :: more) :: after).

  (** Nothing filled yet. *)
  Definition unfilled (chains : list (list leg)) : list progress :=
    map (map (fun l => (l, 0))) chains.

  (** What a verdict's orders can come to by their own fills, in any order and any number. *)
  Inductive reachable (chains : list (list leg)) : list progress -> Prop :=
  | Nothing : reachable chains (unfilled chains)
  | More : forall ps l share ps', reachable chains ps -> fill ps l share ps' ->
      reachable chains ps'.

  Lemma ordered_fill : forall full l phi more share, Forall (fun f => snd f == 1) full ->
    0 <= share -> phi + share <= 1 -> ordered (full ++ (l, phi) :: more) ->
    ordered (full ++ (l, phi + share) :: more).
  Proof.
    induction full as [|[k psi] full IH]; intros l phi more share F S1 S2 O; simpl in *.
    - destruct O as [A [B D]]. repeat split; try lra; try exact D.
      destruct B as [B|B]; [left; lra|right; exact B].
    - inversion F as [|? ? E F']; subst. destruct O as [A [_ D]]. simpl in E.
      split; [exact A|]. split; [left; exact E|]. apply IH; assumption.
  Qed.

  Lemma fill_ordered : forall ps l share ps', fill ps l share ps' ->
    Forall ordered ps -> Forall ordered ps'.
  Proof.
    intros ps l share ps' F O. destruct F as [before full l phi more after share Ff S1 S2].
    apply Forall_app in O. destruct O as [Ob O]. inversion O as [|? ? Oc Oa]; subst.
    apply Forall_app. split; [exact Ob|]. constructor; [|exact Oa].
    apply ordered_fill; assumption.
  Qed.

  Lemma fill_same_legs : forall ps l share ps', fill ps l share ps' ->
    map (map fst) ps' = map (map fst) ps.
  Proof.
    intros ps l share ps' F. destruct F as [before full l phi more after share _ _ _].
    rewrite !map_app. simpl. rewrite !map_app. reflexivity.
  Qed.

  Lemma done_app : forall effect a b, done effect (a ++ b) == done effect a + done effect b.
  Proof.
    induction a as [|[l phi] a IH]; intro b; simpl; [lra|]. rewrite IH. lra.
  Qed.

  Lemma all_done_app : forall effect a b,
    all_done effect (a ++ b) == all_done effect a + all_done effect b.
  Proof. induction a as [|p a IH]; intro b; simpl; [lra|]. rewrite IH. lra. Qed.

  Lemma fill_done : forall effect ps l share ps', fill ps l share ps' ->
    all_done effect ps' == all_done effect ps + share * effect l.
  Proof.
    intros effect ps l share ps' F. destruct F as [before full l phi more after share _ _ _].
    rewrite !all_done_app. simpl. rewrite !done_app. simpl. lra.
  Qed.

  Lemma unfilled_ordered : forall chains, Forall ordered (unfilled chains).
  Proof.
    intro chains. unfold unfilled. apply Forall_map. apply Forall_forall. intros chain _.
    induction chain as [|l chain IH]; simpl; [exact I|]. repeat split; try lra; [|exact IH].
    right. unfold idle. apply Forall_map. apply Forall_forall. intros; reflexivity.
  Qed.

  Lemma unfilled_legs : forall chains, map (map fst) (unfilled chains) = chains.
  Proof.
    intro chains. unfold unfilled. rewrite map_map. rewrite <- (map_id chains) at 2.
    apply map_ext. intro chain. rewrite map_map. simpl. apply map_id.
  Qed.

  Lemma unfilled_done : forall effect chains, all_done effect (unfilled chains) == 0.
  Proof.
    intros effect chains. induction chains as [|chain chains IH]; simpl; [lra|].
    rewrite IH. rewrite idle_done; [lra|]. unfold idle. apply Forall_map. apply Forall_forall.
    intros; reflexivity.
  Qed.

  Lemma reachable_ordered : forall chains ps, reachable chains ps ->
    Forall ordered ps /\ map (map fst) ps = chains.
  Proof.
    intros chains ps R. induction R as [|ps l share ps' _ [O E] F].
    - split; [apply unfilled_ordered|apply unfilled_legs].
    - split; [eapply fill_ordered; eassumption|]. rewrite (fill_same_legs _ _ _ _ F). exact E.
  Qed.

  (** A bound of every case of a verdict bounds every book that the verdict's own fills can make, at
      every later moment, so that no leg needs another verdict after the one before it. *)
  Theorem verdict_covers_its_fills : forall effect chains bound,
    (forall c, In c (cases chains) -> worst effect c <= bound) ->
    forall ps, reachable chains ps -> all_done effect ps <= bound.
  Proof.
    intros effect chains bound H ps R. destruct (reachable_ordered _ _ R) as [O E].
    destruct (fill_state_is_covered effect ps O) as [c [Hc Lc]]. rewrite E in Hc.
    specialize (H c Hc). lra.
  Qed.

  (** Fills only add: what is filled of a leg now is filled of it ever after. *)
  Inductive later : list progress -> list progress -> Prop :=
  | Now : forall ps, later ps ps
  | Later : forall ps ps' l share ps'', later ps ps' -> fill ps' l share ps'' -> later ps ps''.

  (** What a fill state can still become is covered by the verdict that covers the fill state. *)
  Theorem verdict_covers_the_future : forall chains ps ps',
    reachable chains ps -> later ps ps' -> reachable chains ps'.
  Proof.
    intros chains ps ps' R L. induction L as [|ps ps' l share ps'' _ IH F]; [exact R|].
    eapply More; [exact (IH R)|exact F].
  Qed.
End Legs.

Section Renamed.
  Variables leg leg' : Type.
  Variable f : leg -> leg'.

  Definition case_map (c : case leg) : case leg' := (map f (fst c), map f (snd c)).

  Lemma chain_cases_map : forall chain,
    chain_cases leg' (map f chain) = map case_map (chain_cases leg chain).
  Proof.
    induction chain as [|l [|l' rest] IH]; [reflexivity|reflexivity|].
    change (chain_cases leg' (map f (l :: l' :: rest))) with
      (([], [f l]) :: map (fun c => (f l :: fst c, snd c)) (chain_cases leg' (map f (l' :: rest)))).
    rewrite IH. change (chain_cases leg (l :: l' :: rest)) with
      (([], [l]) :: map (fun c => (l :: fst c, snd c)) (chain_cases leg (l' :: rest))).
    cbn [map]. rewrite !map_map. reflexivity.
  Qed.

  (** The cases do not depend on how legs are written down. *)
  Lemma cases_map : forall chains,
    cases leg' (map (map f) chains) = map case_map (cases leg chains).
  Proof.
    induction chains as [|chain rest IH]; [reflexivity|]. cbn [map cases].
    rewrite IH, chain_cases_map, !flat_map_concat_map, concat_map, !map_map. f_equal.
    apply map_ext. intro c. rewrite !map_map. apply map_ext. intro c'.
    unfold case_map. simpl. rewrite !map_app. reflexivity.
  Qed.
End Renamed.

Arguments worst {leg}.
Arguments all_done {leg}.
Arguments done {leg}.
Arguments ordered {leg}.
Arguments cases {leg}.
Arguments fill {leg}.
Arguments unfilled {leg}.
Arguments whole {leg}.
Arguments options {leg}.
Arguments case_map {leg leg'}.

Print Assumptions prefix_is_covered.
Print Assumptions fill_state_is_covered.
Print Assumptions verdict_covers_its_fills.
Print Assumptions verdict_covers_the_future.
