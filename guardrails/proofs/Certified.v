(** Accepted certificates cover a book: from the kernel's integers to the ledger's bounds. *)
Require Import ZArith QArith Qminmax Lqa List Bool Arith Lia.
From AgentFund Require Checker Meaning Soundness.
From AgentFund Require Import Sums Legs Ledger Assemble Compile CompiledBook CompiledLegs.
Import ListNotations.
Local Open Scope Q_scope.

Section Compiled.
  Variable D : declared.
  Local Notation elsewhere := (Compile.elsewhere D).
  Local Notation held_lines := (Compile.held_lines D).
  Local Notation worst_fill := (Compile.worst_fill D).
  Local Notation best_fill := (Compile.best_fill D).
  Local Notation leg_lines := (Compile.leg_lines D).
  Local Notation exposure := (Compile.exposure D).
  Local Notation loss_form := (Compile.loss_form D).
  Local Notation gain_form := (Compile.gain_form D).
  Local Notation in_declared := (Compile.in_declared D).
  Local Notation mandate_of := (Compile.mandate_of D).
  Local Notation leg_of := (Compile.leg_of D).
  Local Notation represents := (Compile.represents D).
  Local Notation accepted := (Compile.accepted D).

  Section Scenario.
    Variables (e : exact) (b : book) (x : scenario) (y : Meaning.scenario).
    Hypothesis Rep : represents e b.
    Hypothesis Here : in_declared x y.
    Hypothesis Ok : Checker.stress_ok (set D) = true.

    Lemma lines_named : forall sign effect gone full,
      (forall o, along (effect o) = traded o) ->
      Forall (fun o => (traded o < count D)%nat) full ->
      Forall (fun l => (along l < length y)%nat)
        (held_lines sign gone e ++ leg_lines effect gone full).
    Proof.
      intros sign effect gone full Al F. rewrite (scenario_length D x y Here).
      unfold Compile.drivers.
      pose proof (drivers_enough D) as Dr. apply Forall_app. split.
      - apply Forall_forall. intros l I. unfold Compile.held_lines in I. apply in_flat_map in I.
        destruct I as [i [I J]]. apply in_seq in I. destruct (elsewhere gone i); [|destruct J].
        destruct J as [J|[]]. subst. simpl. lia.
      - apply Forall_forall. intros l I. unfold Compile.leg_lines in I. apply in_flat_map in I.
        destruct I as [o [I J]]. rewrite Forall_forall in F. specialize (F o I).
        destruct (elsewhere gone (traded o)); [|destruct J]. destruct J as [J|[]]. subst.
        rewrite Al. lia.
    Qed.

    (** The loss form bounds what the case loses in the ledger, in the form's hundred. *)
    Theorem loss_form_sound : forall gone c,
      Forall (fun o => (traded o < count D)%nat) (fst c) ->
      Forall (fun o => (traded o < count D)%nat) (snd c) ->
      hundred * case_loss mandate_of gone b x (case_map leg_of c)
      <= Meaning.value (loss_form e gone c) y.
    Proof.
      intros gone c F O. unfold Compile.loss_form. rewrite <- (scenario_length D x y Here).
      rewrite assemble_value.
      2:{ apply lines_named; [|exact F]. intro o. unfold Compile.worst_fill.
          destruct (0 <=? lots o)%Z; reflexivity. }
      rewrite sum_app, hinges_value_app.
      pose proof (held_below D e b x y Rep Here (-1) gone (or_intror eq_refl)) as H1.
      pose proof (legs_below D y gone (loss_effect mandate_of gone b x) (worst_fill e)
        (worst_below D e b x y Rep Here Ok gone) c F O) as H2.
      change (inject_Z (-1)) with (-(1)) in H1.
      assert (H3 : hundred * stake mandate_of gone b <= inject_Z (match gone with None => 0%Z
        | Some k => (Z.max 0 (exposure Z.max e k) * Checker.scale)%Z end)).
      { destruct gone as [k|].
        - destruct (stake_between D e b Rep k) as [_ S]. rewrite inject_Z_mult.
          fold hundred. pose proof hundred_positive.
          assert (M : inject_Z (exposure Z.max e k) <= inject_Z (Z.max 0 (exposure Z.max e k)))
            by (rewrite <- Zle_Qle; lia).
          nra.
        - unfold stake, value. change (inject_Z 0) with 0. lra. }
      unfold case_loss. lra.
    Qed.

    (** The gain form bounds what the case gains in the ledger, in the form's hundred. *)
    Theorem gain_form_sound : forall gone c,
      Forall (fun o => (traded o < count D)%nat) (fst c) ->
      Forall (fun o => (traded o < count D)%nat) (snd c) ->
      hundred * case_gain mandate_of gone b x (case_map leg_of c)
      <= Meaning.value (gain_form e gone c) y.
    Proof.
      intros gone c F O. unfold Compile.gain_form. rewrite <- (scenario_length D x y Here).
      rewrite assemble_value.
      2:{ apply lines_named; [|exact F]. intro o. unfold Compile.best_fill.
          destruct (0 <=? lots o)%Z; reflexivity. }
      rewrite sum_app, hinges_value_app.
      pose proof (held_below D e b x y Rep Here 1 gone (or_introl eq_refl)) as H1.
      pose proof (legs_below D y gone (gain_effect mandate_of gone b x) (best_fill e)
        (best_below D e b x y Rep Here gone) c F O) as H2.
      change (inject_Z 1) with 1 in H1.
      assert (H3 : - (hundred * stake mandate_of gone b) <= inject_Z (match gone with None => 0%Z
        | Some k => (- (exposure Z.min e k * Checker.scale))%Z end)).
      { destruct gone as [k|].
        - destruct (stake_between D e b Rep k) as [S _].
          rewrite inject_Z_opp, inject_Z_mult. fold hundred. pose proof hundred_positive. nra.
        - unfold stake, value. change (inject_Z 0) with 0. lra. }
      unfold case_gain. lra.
    Qed.
  End Scenario.

  (** Nothing moves in a scenario of the declared set, if the checker accepts anything about it. *)
  Lemma no_move_in_declared : forall f t w, Checker.check f (set D) t w = true ->
    in_declared (fun _ => 0) (Meaning.no_move (set D)).
  Proof.
    intros f t w H. split.
    - unfold Checker.check in H. destruct (Checker.proved_bound f (set D) t) as [B|] eqn:E;
        [|discriminate]. eapply Soundness.no_move_declared. exact E.
    - intros i _. unfold moved, Meaning.move, Meaning.no_move. rewrite Meaning.get_map.
      destruct (Checker.get (Checker.intervals (set D)) (Z.of_nat i)); simpl; lra.
  Qed.

  (** A book for which certificates are accepted is covered: its loss and gain are bounded in every
      scenario, for every case of its legs, and whichever venue or chain fails. *)
  Theorem accepted_covers : forall b w, accepted b w -> covered mandate_of b w.
  Proof.
    intros b w [e [ml [mg [Rep [L0 [L [G0 [G [T [A H]]]]]]]]]].
    pose proof Rep as [R [_ [Ch Tr]]].
    assert (In0 : exists c, In c (cases (orders e))).
    { destruct (fill_state_is_covered order (fun _ => 0) (unfilled (orders e))
        (unfilled_ordered _ _)) as [c [I _]]. rewrite unfilled_legs in I. exists c. exact I. }
    destruct In0 as [c0 I0].
    destruct (H None c0 (or_introl eq_refl) I0) as [[t0 C0] _].
    pose proof (check_set_ok D _ _ _ C0) as Ok.
    assert (Up : forall m q, (0 <= m)%Z -> q == inject_Z m / hundred -> 0 <= q).
    { intros m q M0 E. rewrite E. apply cap_nonnegative. exact M0. }
    split; [split|].
    - intros i Hi. destruct (R i Hi) as [_ [Lo [P _]]]. rewrite Zle_Qle in Lo.
      change (inject_Z 0) with 0 in Lo. lra.
    - exists (Meaning.no_move (set D)). eapply no_move_in_declared. exact C0.
    - split; [exact (Up _ _ L0 L)|]. split; [exact (Up _ _ G0 G)|].
      split; [exact T|]. split; [exact A|].
      intros gone c x Hg Hc [y Y].
      rewrite Ch, cases_map in Hc. apply in_map_iff in Hc. destruct Hc as [c' [Ec Hc]]. subst c.
      destruct (cases_legs _ _ _ _ Tr Hc) as [F O].
      destruct (H gone c' Hg Hc) as [[t1 C1] [t2 C2]].
      pose proof (Soundness.check_sound _ _ _ _ C1 y (proj1 Y)) as B1.
      pose proof (Soundness.check_sound _ _ _ _ C2 y (proj1 Y)) as B2.
      pose proof (loss_form_sound e b x y Rep Y Ok gone c' F O) as S1.
      pose proof (gain_form_sound e b x y Rep Y gone c' F O) as S2.
      rewrite L, G. pose proof hundred_positive as U.
      split; apply Qle_shift_div_l; try exact U; lra.
  Qed.
End Compiled.

Print Assumptions loss_form_sound.
Print Assumptions gain_form_sound.
Print Assumptions accepted_covers.
